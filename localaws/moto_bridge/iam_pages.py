"""Pages of those of IAM's lists of which moto answers with all that there is, whatever MaxItems says."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

#: items of a page where the request does not say.
_MOST = 100
#: moto's method -> the member that the list is in.
_LISTS = {
    "get_group": "Users",
    "list_access_keys": "AccessKeyMetadata",
    "list_account_aliases": "AccountAliases",
    "list_group_policies": "PolicyNames",
    "list_groups": "Groups",
    "list_groups_for_user": "Groups",
    "list_instance_profiles": "InstanceProfiles",
    "list_instance_profiles_for_role": "InstanceProfiles",
    "list_mfa_devices": "MFADevices",
    "list_policy_versions": "Versions",
    "list_role_policies": "PolicyNames",
    "list_server_certificates": "ServerCertificateMetadataList",
    "list_signing_certificates": "Certificates",
    "list_ssh_public_keys": "SSHPublicKeys",
    "list_user_policies": "PolicyNames",
    "list_user_tags": "Tags",
    "list_users": "Users",
}


def install() -> None:
    """Have moto write down one page."""
    for name, member in _LISTS.items():
        method = vars(IamResponse)[name]
        if not hasattr(method, "__wrapped__"):
            setattr(IamResponse, name, _paged(method, member))


def _paged(method: Callable[[Any], Any], member: str) -> Callable[[Any], Any]:
    @wraps(method)
    def page(response: Any) -> ActionResult:
        result: dict[str, Any] = dict(method(response).result)
        items = list(result.get(member) or [])
        start = int(response._get_param("Marker") or 0)
        end = start + int(response._get_param("MaxItems") or _MOST)
        more = end < len(items)
        result.update({member: items[start:end], "IsTruncated": more, "Marker": str(end) if more else None})
        return ActionResult(result)

    return page
