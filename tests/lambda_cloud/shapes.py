"""The shapes of Lambda Cloud's answers and requests as its API reference (version 1.10.0) describes them, as JSON Schemas."""

from __future__ import annotations

from typing import Any

import jsonschema

TEXT = {"type": "string"}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def many(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


REGION = record({"name": TEXT, "description": TEXT})
COUNT = {"type": "integer"}
SPECS = record({"vcpus": COUNT, "memory_gib": COUNT, "storage_gib": COUNT, "gpus": COUNT})
TYPE = record(
    {"name": TEXT, "description": TEXT, "gpu_description": TEXT, "price_cents_per_hour": COUNT, "specs": SPECS}
)
ACTION = record({"available": {"type": "boolean"}}, {"reason_code": TEXT, "reason_description": TEXT})
ACTIONS = record(dict.fromkeys(("migrate", "rebuild", "restart", "cold_reboot", "terminate"), ACTION))
INSTANCE = record(
    {
        "id": TEXT, "status": TEXT, "ssh_key_names": many(TEXT), "file_system_names": many(TEXT), "region": REGION,
        "instance_type": TYPE, "actions": ACTIONS,
    },
    {
        "name": {"type": "string", "maxLength": 64}, "ip": TEXT, "private_ip": TEXT, "hostname": TEXT,
        "jupyter_token": TEXT, "jupyter_url": TEXT, "tags": many(record({"key": TEXT, "value": TEXT})),
    },
)  # fmt: skip
SSH_KEY = record({"id": TEXT, "name": TEXT, "public_key": TEXT})
IMAGE = record({
    **dict.fromkeys(("id", "created_time", "updated_time", "name", "description", "family", "version"), TEXT),
    "architecture": {"enum": ["x86_64", "arm64"]}, "region": REGION,
})  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "GET /instances": many(INSTANCE),
    "GET /instances/{id}": INSTANCE,
    "GET /instance-types": {
        "type": "object",
        "additionalProperties": record({"instance_type": TYPE, "regions_with_capacity_available": many(REGION)}),
    },
    "GET /images": many(IMAGE),
    "GET /ssh-keys": many(SSH_KEY),
    "POST /ssh-keys": SSH_KEY,
    "POST /instance-operations/launch": record({"instance_ids": many(TEXT)}),
    "POST /instance-operations/terminate": record({"terminated_instances": many(INSTANCE)}),
}
REQUESTS: dict[str, dict[str, Any]] = {
    "POST /instance-operations/launch": {
        **record(
            {
                "region_name": TEXT,
                "instance_type_name": TEXT,
                "ssh_key_names": {**many(TEXT), "minItems": 1, "maxItems": 1},
            },
            {
                "name": {"type": "string", "maxLength": 64},
                "hostname": {"type": "string", "pattern": "^[a-z0-9][0-9a-z-]{0,62}$"},
                "image": {"oneOf": [record({"family": TEXT}), record({"id": TEXT})]},
                "user_data": {"type": "string", "maxLength": 1 << 20},
            },
        ),
        "additionalProperties": False,
    },
    "POST /instance-operations/terminate": record({"instance_ids": many(TEXT)}),
    "POST /ssh-keys": record({"name": {"type": "string", "minLength": 1, "maxLength": 64}}, {"public_key": TEXT}),
}
ERROR = record({"error": record({"code": TEXT, "message": TEXT}, {"suggestion": TEXT})})
_VALIDATORS: dict[int, jsonschema.Draft202012Validator] = {}


def follows(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value has a shape; raises with the place where it has not."""
    validator = _VALIDATORS.setdefault(id(schema), jsonschema.Draft202012Validator(schema))
    validator.validate(value)
    return True
