"""Operation by operation, what is handed to moto. What moto only pretends to do is not here."""

from __future__ import annotations

#: operation by operation, what is handed to moto. What moto only pretends to do is not here.


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CARRIED: dict[str, frozenset[str]] = {
    "s3": _names(
        """
        AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket
        DeleteBucketEncryption DeleteBucketPolicy DeleteBucketTagging DeleteObject DeleteObjectTagging DeleteObjects
        DeletePublicAccessBlock GetBucketAcl GetBucketEncryption GetBucketLocation GetBucketOwnershipControls
        GetBucketPolicy GetBucketTagging GetBucketVersioning GetObject GetObjectAcl GetObjectAttributes
        GetObjectTagging GetPublicAccessBlock HeadBucket HeadObject ListBuckets ListMultipartUploads
        ListObjectVersions ListObjects ListObjectsV2 ListParts PutBucketEncryption PutBucketOwnershipControls
        PutBucketPolicy PutBucketTagging PutBucketVersioning PutObject PutObjectTagging PutPublicAccessBlock UploadPart
        UploadPartCopy
        """
    ),
    "iam": _names(
        """
        AddRoleToInstanceProfile AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy CreateAccessKey
        CreateGroup CreateInstanceProfile CreatePolicy CreatePolicyVersion CreateRole CreateServiceLinkedRole CreateUser
        DeleteAccessKey DeleteGroup DeleteGroupPolicy DeleteInstanceProfile DeletePolicy DeletePolicyVersion DeleteRole
        DeleteRolePolicy DeleteServiceLinkedRole DeleteUser DeleteUserPolicy DetachGroupPolicy DetachRolePolicy
        DetachUserPolicy GetGroup GetGroupPolicy GetInstanceProfile GetPolicy GetPolicyVersion GetRole GetRolePolicy
        GetUser GetUserPolicy ListAccessKeys ListAttachedGroupPolicies ListAttachedRolePolicies
        ListAttachedUserPolicies ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfiles
        ListInstanceProfilesForRole ListPolicies ListPolicyVersions ListRolePolicies ListRoleTags ListRoles
        ListUserPolicies ListUserTags ListUsers PutGroupPolicy PutRolePolicy PutUserPolicy
        RemoveRoleFromInstanceProfile RemoveUserFromGroup TagPolicy TagRole TagUser UntagPolicy UntagRole UntagUser
        UpdateAccessKey UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription UpdateUser
        """
    ),
    "sts": frozenset({"AssumeRole", "GetCallerIdentity"}),
    "glue": _names(
        """
        BatchCreatePartition BatchDeletePartition BatchDeleteTable BatchGetPartition BatchUpdatePartition CreateDatabase
        CreatePartition CreateTable DeleteDatabase DeletePartition DeleteTable DeleteTableVersion GetDatabase
        GetDatabases GetPartition GetPartitions GetTable GetTableVersion GetTableVersions GetTables GetTags TagResource
        UntagResource UpdateDatabase UpdatePartition UpdateTable
        """
    ),
    "cognito-idp": _names(
        """
        AdminAddUserToGroup AdminConfirmSignUp AdminCreateUser AdminDeleteUser AdminDeleteUserAttributes
        AdminDisableUser AdminEnableUser AdminGetUser AdminInitiateAuth AdminListGroupsForUser
        AdminRemoveUserFromGroup AdminResetUserPassword AdminRespondToAuthChallenge AdminSetUserPassword
        AdminUpdateUserAttributes AdminUserGlobalSignOut ChangePassword ConfirmSignUp CreateGroup CreateUserPool
        CreateUserPoolClient CreateUserPoolDomain DeleteGroup DeleteUserPool DeleteUserPoolClient DeleteUserPoolDomain
        DescribeUserPool DescribeUserPoolClient DescribeUserPoolDomain GetGroup GetUser GlobalSignOut InitiateAuth
        ListGroups ListUserPoolClients ListUserPools ListUsers ListUsersInGroup RespondToAuthChallenge SignUp
        UpdateGroup UpdateUserAttributes UpdateUserPool UpdateUserPoolClient
        """
    ),
    "cloudwatch": _names("GetMetricData GetMetricStatistics ListMetrics PutMetricData"),
    "logs": _names(
        """
        CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DeleteRetentionPolicy DescribeLogGroups
        DescribeLogStreams FilterLogEvents GetLogEvents ListTagsForResource ListTagsLogGroup PutLogEvents
        PutRetentionPolicy TagLogGroup TagResource UntagLogGroup UntagResource
        """
    ),
    "application-autoscaling": _names("DeregisterScalableTarget DescribeScalableTargets RegisterScalableTarget"),
    "secretsmanager": _names(
        """
        CreateSecret DeleteSecret DescribeSecret GetRandomPassword GetSecretValue ListSecretVersionIds ListSecrets
        PutSecretValue RestoreSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage
        """
    ),
}


def carries(service: str, operation: str) -> bool:
    """Whether moto does this operation for us."""
    return operation in CARRIED.get(service, ())
