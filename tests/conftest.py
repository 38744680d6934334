import gin
import pytest

from tests.tiny_job import Job


@pytest.fixture(autouse=True)
def _own_gin_configuration():
    """No test sees what another has bound."""
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory):
    """Which runs are trusted is remembered in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run that tests only read."""
    job = Job(tmp_path_factory.mktemp("job"))
    job.output = job.train()
    return job
