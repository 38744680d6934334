"""Request molecules from a TensorFlow Serving server, using Python's standard library only.

python examples/serve_client.py --url=http://localhost:8501 --model=molecules --count=5

docs/serving.md shows how to start the server.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from typing import Any


def predict(url: str, model: str, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Call a signature and return its outputs by name, or its only output."""
    body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/models/{model}:predict", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["outputs"]


def generate(url: str, model: str, count: int, seed: int) -> list[tuple[str, float]]:
    """Return SMILES, each with log policy - log prior in nats: how much more likely tuning made it."""
    # Every input is named: some versions of the server do not fill in defaults for JSON.
    inputs = {"count": count, "temperature": 1.0, "seed": seed, "max_length": 60, "primer": []}
    made = predict(url, model, "generate", inputs)
    ratios = [a - b for a, b in zip(made["log_policy"], made["log_prior"])]
    return list(zip(made["smiles"], ratios))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://localhost:8501")
    parser.add_argument("--model", default="molecules")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for smiles, ratio in generate(args.url, args.model, args.count, args.seed):
        print(f"{ratio:+8.2f}  {smiles}")


if __name__ == "__main__":
    main()
