"""Shadows on AWS: IoT Core, SQS, Lambda, DynamoDB and EventBridge around the walk.

Three handlers: :mod:`~crdtshadow_aws.conflict_resolver` (the updates queue; up to *store*),
:mod:`~crdtshadow_aws.publisher` (the state table's stream; *publish*),
:mod:`~crdtshadow_aws.sync_manager` (what devices, operators and schedules ask).

A reading order below them: :mod:`~crdtshadow_aws.errors`, :mod:`~crdtshadow_aws.clients`,
:mod:`~crdtshadow_aws.settings` (the environment), :mod:`~crdtshadow_aws.items` (rows),
:mod:`~crdtshadow_aws.quarantine`, :mod:`~crdtshadow_aws.store` (the walk's port),
:mod:`~crdtshadow_aws.configuration`, :mod:`~crdtshadow_aws.shadow_service`,
:mod:`~crdtshadow_aws.history`, :mod:`~crdtshadow_aws.sync_metrics`, :mod:`~crdtshadow_aws.bus`,
:mod:`~crdtshadow_aws.telemetry`, :mod:`~crdtshadow_aws.composition` (all of it, put together),
:mod:`~crdtshadow_aws.intake`, :mod:`~crdtshadow_aws.images` and :mod:`~crdtshadow_aws.outbox`,
:mod:`~crdtshadow_aws.arguments` and :mod:`~crdtshadow_aws.operations`.

Nothing is imported here, so that a handler loads only what it needs.
"""
