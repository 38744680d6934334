import gin
import pytest


@pytest.fixture(autouse=True)
def _own_gin_configuration():
    """No test sees what another has bound."""
    gin.clear_config()
    yield
    gin.clear_config()
