"""All rules: one explicit list, whose order is the order in which findings of one place are told."""

from typing import Final

from checks.templates.rules.adapter import (
    adapter_layer_architecture,
    adapter_layer_missing,
    adapter_layer_nowhere,
    adapter_layer_old,
    adapter_variable_ignored,
    exec_wrapper_missing,
    handler_not_a_program,
)
from checks.templates.rules.adapter_settings import (
    adapter_error_statuses,
    adapter_host,
    adapter_mode_unknown,
    adapter_port,
    adapter_readiness,
    adapter_variable_shadowed,
)
from checks.templates.rules.browsers import (
    cors_headers_refused,
    cors_method_refused,
    cors_options_named,
    cors_origins,
    cors_session_hidden,
)
from checks.templates.rules.capacity import concurrency_one, concurrency_zero, memory_small, timeout_default
from checks.templates.rules.cloudfront import (
    cloudfront_caches,
    cloudfront_headers,
    cloudfront_host,
    cloudfront_methods,
    cloudfront_signs_posts,
    cloudfront_timeout,
)
from checks.templates.rules.function_url import (
    invoke_mode_adapter_streams,
    invoke_mode_invalid,
    invoke_mode_runtime,
    invoke_mode_url_streams,
    url_auth_type,
    url_auth_type_invalid,
    url_permission_missing,
    url_permission_of_cloudfront,
)
from checks.templates.rules.gateways import (
    binary_media_types,
    gateway_cannot_stream,
    rest_api_buffers,
    rest_api_streams,
    route_for_post_missing,
    route_methods_missing,
    stage_in_path,
    timeout_beyond_client,
    timeout_order,
)
from checks.templates.unit import Rule

RULES: Final[tuple[Rule, ...]] = (
    adapter_layer_missing,
    adapter_layer_architecture,
    adapter_layer_old,
    adapter_variable_ignored,
    adapter_layer_nowhere,
    exec_wrapper_missing,
    handler_not_a_program,
    adapter_port,
    adapter_host,
    adapter_variable_shadowed,
    adapter_mode_unknown,
    adapter_readiness,
    adapter_error_statuses,
    invoke_mode_url_streams,
    invoke_mode_adapter_streams,
    invoke_mode_runtime,
    invoke_mode_invalid,
    url_permission_missing,
    url_permission_of_cloudfront,
    url_auth_type,
    url_auth_type_invalid,
    gateway_cannot_stream,
    rest_api_buffers,
    rest_api_streams,
    route_for_post_missing,
    route_methods_missing,
    stage_in_path,
    timeout_order,
    timeout_beyond_client,
    binary_media_types,
    cloudfront_methods,
    cloudfront_headers,
    cloudfront_host,
    cloudfront_signs_posts,
    cloudfront_caches,
    cloudfront_timeout,
    cors_session_hidden,
    cors_headers_refused,
    cors_method_refused,
    cors_origins,
    cors_options_named,
    timeout_default,
    memory_small,
    concurrency_zero,
    concurrency_one,
)
