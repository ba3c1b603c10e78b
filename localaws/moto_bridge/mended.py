"""Where moto meets an unknown name with a KeyError, AWS's error for it; and bodies of objects kept as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.glue.exceptions import EntityNotFoundException
from moto.glue.models import GlueBackend
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.moto_server.werkzeug_app import BackendRequest
from moto.s3.exceptions import InvalidContinuationToken, MissingKey, MissingVersion, NoSuchUpload
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from moto.secretsmanager.exceptions import SecretNotFoundException
from moto.secretsmanager.models import SecretsManagerBackend

Method = Callable[..., Any]


def install() -> None:
    """Replace the methods."""
    # Else an object whose Content-Type is a form's is read as one, and kept empty.
    BackendRequest.want_form_data_parsed = property(_is_form)  # type: ignore[assignment,method-assign]
    for name in ("complete_multipart_upload", "upload_part", "upload_part_copy"):
        _wrap(S3Backend, name, _with_known_upload)
    _wrap(S3Backend, "delete_object_tagging", _with_known_object)
    _wrap(S3Backend, "_get_results_from_token", _with_known_token)
    _wrap(S3Response, "_tagging_from_xml", _without_tags)
    _wrap(IAMBackend, "remove_role_from_instance_profile", _with_role_in_profile)
    _wrap(GlueBackend, "delete_table_version", _with_known_version)
    _wrap(LogsBackend, "get_query_results", _with_known_query)
    _wrap(SecretsManagerBackend, "list_secret_version_ids", _with_known_secret)


def _is_form(request: Any) -> bool:
    return request.method == "POST" and bool(request.environ.get("CONTENT_TYPE"))


def _wrap(owner: type, name: str, wrapper: Callable[[Method], Method]) -> None:
    method = vars(owner)[name]
    # Two servers in one process, as in tests: once is enough.
    if not hasattr(method, "__wrapped__"):
        setattr(owner, name, wrapper(method))


def _with_known_upload(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, bucket_name: str, multipart_id: str, *rest: Any, **named: Any) -> Any:
        if multipart_id not in backend.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return method(backend, bucket_name, multipart_id, *rest, **named)

    return checked


def _with_known_object(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, bucket_name: str, key_name: str, version_id: str | None = None) -> Any:
        if backend.get_object(bucket_name, key_name, version_id=version_id) is None:
            raise MissingVersion() if version_id else MissingKey(key=key_name)
        return method(backend, bucket_name, key_name, version_id=version_id)

    return checked


def _with_known_token(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, result_keys: Any, token: str | None) -> Any:
        if token is None:
            raise InvalidContinuationToken()
        return method(backend, result_keys, token)

    return checked


def _without_tags(method: Method) -> Method:
    """Let an empty set of tags leave an object without tags."""

    @wraps(method)
    def read(response: Any) -> Any:
        return method(response) if b"<Tag>" in response.body else {}

    return read


def _with_role_in_profile(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, profile_name: str, role_name: str) -> Any:
        if all(role.name != role_name for role in backend.get_instance_profile(profile_name).roles):
            raise NotFoundException(f"The role with name {role_name} cannot be found.")
        return method(backend, profile_name, role_name)

    return checked


def _with_known_version(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, database_name: str, table_name: str, version_id: str) -> Any:
        table = backend.get_table(database_name, table_name)
        if version_id not in table.versions:
            raise EntityNotFoundException("Table version not found.")
        return method(backend, database_name, table_name, version_id)

    return checked


def _with_known_query(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, query_id: str) -> Any:
        if query_id not in backend.queries:
            raise ResourceNotFoundException()
        return method(backend, query_id)

    return checked


def _with_known_secret(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, secret_id: str, *rest: Any, **named: Any) -> Any:
        if not backend._is_valid_identifier(secret_id):
            raise SecretNotFoundException()
        return method(backend, secret_id, *rest, **named)

    return checked
