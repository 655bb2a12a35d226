"""The mock against the published reference, and our reading against answers that nobody has seen yet."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lambda_cloud.cloud import KEY, Cloud
from tunetui.hosts.lambda_cloud.shapes import account_keys, instance_types, instances, launched_ids

REFERENCE = os.environ.get("TUNETUI_LAMBDA_OPENAPI", "")
"""Lambda's published OpenAPI file; it is not shipped here, as nothing says that it may be."""
CALLS = [
    ("get", "/api/v1/instances", None),
    ("get", "/api/v1/instance-types", None),
    ("get", "/api/v1/ssh-keys", None),
    ("get", "/api/v1/images", None),
    ("get", "/api/v1/instances/{id}", None),
    ("post", "/api/v1/ssh-keys", {"name": "new", "public_key": "ssh-ed25519 AAAA"}),
    ("post", "/api/v1/instance-operations/launch", {
        "region_name": "us-west-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["mine"], "name": "tunetui-x",
    }),
    ("post", "/api/v1/instance-operations/terminate", {"instance_ids": ["{id}"]}),
]  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.sampled_from(
        ["instance_type", "price_cents_per_hour", "regions_with_capacity_available", "name", "id", "status", "specs", "ip"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.skipif(not REFERENCE, reason="TUNETUI_LAMBDA_OPENAPI names no copy of Lambda's OpenAPI file")
def test_the_mock_answers_as_the_published_reference_says() -> None:
    reference = json.loads(Path(REFERENCE).read_text())
    for (method, path, body), status in itertools.product(CALLS, (200, 401, 404)):
        cloud = Cloud(lambda: 1000.0)
        identity = cloud.add("theirs").id if status != 404 else "f" * 32
        headers = {"authorization": f"Bearer {KEY if status != 401 else 'another'}"}
        content = (
            json.dumps(body).replace("{id}", identity).replace("us-west-1", "us-west-1" if status != 404 else "mars")
        )
        if status == 404 and "{id}" not in path + str(body) and "launch" not in path:
            continue  # nothing is asked for that might not be there
        operation = reference["paths"][path][method]
        if body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            check(reference, schema, json.loads(content))
        request = path.replace("{id}", identity)
        reply = cloud.handle(method.upper(), request, headers, content.encode() if body else b"")
        assert reply.status == status, (method, path)
        schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
        check(reference, schema, json.loads(reply.body))


def check(reference: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": reference["components"]}).validate(value)


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_no_answer_whatsoever_makes_the_reading_fail(data: Any) -> None:
    instance_types(data)
    instances(data)
    account_keys(data)
    launched_ids(data)


def test_an_instance_with_nothing_but_an_id_is_seen_and_taken_for_one_that_costs() -> None:
    [found] = instances([{"id": "ab" * 16}, {"id": "../../x"}, {"name": "no id"}, 7]) or []
    assert (found.status, found.costs) == ("unknown", True)


def test_prices_and_regions_are_read_as_they_come() -> None:
    cloud = Cloud(lambda: 0.0)
    data = json.loads(cloud.handle("GET", "/api/v1/instance-types", {"authorization": f"Bearer {KEY}"}, b"").body)[
        "data"
    ]
    a10, h100 = instance_types(data)
    assert (a10.usd_per_hour, a10.region_names, a10.gpu) == (1.29, ["us-west-1", "us-south-1"], "A10 (24 GB PCIe)")
    assert (h100.usd_per_hour, h100.region_names) == (3.29, [])
