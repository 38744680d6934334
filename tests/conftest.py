import gin
import pytest

from tests.tiny_job import Job


@pytest.fixture(autouse=True)
def _own_gin_configuration():
    """No test sees what another has bound."""
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run that tests only read."""
    job = Job(tmp_path_factory.mktemp("job"))
    job.output = job.train()
    return job
