"""What can be turned in an account while it runs: its quotas, and how unwilling it is."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Quotas:
    """IAM's default quotas (reference_iam-quotas in its user guide); sizes in characters without white space."""

    users: int = 5000
    groups: int = 300
    groups_per_user: int = 10
    attached_policies_per_user: int = 10
    attached_policies_per_group: int = 10
    access_keys_per_user: int = 2
    service_credentials_per_user: int = 2
    """For each service."""
    ssh_public_keys_per_user: int = 5
    signing_certificates_per_user: int = 2
    mfa_devices_per_user: int = 8
    tags: int = 50
    user_policy_size: int = 2048
    """All inline policies of a user together."""
    group_policy_size: int = 5120
    attached_policies_per_role: int = 10
    role_policy_size: int = 10240
    roles: int = 1000
    policies: int = 1500
    policy_size: int = 6144
    versions_per_policy: int = 5


@dataclass(slots=True)
class IamSettings:
    """How an account behaves; may be changed at any time."""

    quotas: Quotas = field(default_factory=Quotas)
    login_profile_window_s: float = 0.0
    """Seconds after CreateLoginProfile in which Update- and DeleteLoginProfile answer EntityTemporarilyUnmodifiable."""
    unmodifiable_users: frozenset[str] = frozenset()
    """User names (case does not matter) for which every action that can answer EntityTemporarilyUnmodifiable does."""
    page_limit: int | None = None
    """No page is longer than this, whatever MaxItems says: IAM may return fewer even when there are more."""
    non_member_error: bool = False
    """RemoveUserFromGroup of somebody who is no member: IAM is reported to say nothing; true makes it NoSuchEntity."""

    credential_report_s: float = 0.0
    """Seconds that GenerateCredentialReport takes."""

    def is_unmodifiable(self, user_name: str) -> bool:
        return bool(self.unmodifiable_users) and user_name.casefold() in {n.casefold() for n in self.unmodifiable_users}
