"""The service does what its OpenAPI description says: schemathesis makes requests from that alone."""

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance


@pytest.mark.slow
def test_the_service_does_what_its_description_says(service):
    operations = [one.ok() for one in schemathesis.openapi.from_url(service.url("/openapi.json")).get_all_operations()]
    assert len(operations) == 5
    for operation in operations:

        @given(operation.as_strategy())
        @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def ask(case):
            # A schema cannot say what bytes are a picture, nor that pixels look as if they had another range.
            case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=20)

        ask()


def test_the_description_is_whole(service):
    document = requests.get(service.url("/openapi.json"), timeout=20).json()
    assert set(document["paths"]) == {"/predict", "/predict/batch", "/health", "/model", "/metrics"}
    for path in ("/predict", "/predict/batch"):
        operation = document["paths"][path]["post"]
        assert {"200", "413", "415", "422", "503"} <= set(operation["responses"])
        assert "application/json" in operation["requestBody"]["content"]
        assert operation["description"]
    assert {"image/*", "multipart/form-data"} <= set(document["paths"]["/predict"]["post"]["requestBody"]["content"])
