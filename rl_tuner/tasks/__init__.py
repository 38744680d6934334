"""Tasks: what is generated, what is rewarded, and how a person sees it."""
