"""Operation by operation, what is handed to moto, and what of moto is refused because it only pretends to do it."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CARRIED: dict[str, frozenset[str]] = {
    "s3": _names(
        """
        AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket
        DeleteBucketCors DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketOwnershipControls DeleteBucketPolicy
        DeleteBucketReplication DeleteBucketTagging DeleteBucketWebsite DeleteObject DeleteObjectTagging DeleteObjects
        DeletePublicAccessBlock GetBucketAccelerateConfiguration GetBucketAcl GetBucketCors GetBucketEncryption
        GetBucketLifecycle GetBucketLifecycleConfiguration GetBucketLocation GetBucketLogging GetBucketNotification
        GetBucketNotificationConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
        GetBucketReplication GetBucketTagging GetBucketVersioning GetBucketWebsite GetObject GetObjectAcl
        GetObjectAttributes GetObjectLegalHold GetObjectLockConfiguration GetObjectRetention GetObjectTagging
        GetPublicAccessBlock HeadBucket HeadObject ListBucketInventoryConfigurations ListBuckets ListMultipartUploads
        ListObjectVersions ListObjects ListObjectsV2 ListParts PutBucketAcl PutBucketEncryption
        PutBucketOwnershipControls PutBucketPolicy PutBucketTagging PutBucketVersioning PutObject PutObjectAcl
        PutObjectLegalHold PutObjectLockConfiguration PutObjectRetention PutObjectTagging PutPublicAccessBlock
        RestoreObject UploadPart UploadPartCopy
        """
    ),
    "iam": _names(
        """
        AddRoleToInstanceProfile AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy CreateAccessKey
        CreateAccountAlias CreateGroup CreateInstanceProfile CreateLoginProfile CreateOpenIDConnectProvider CreatePolicy
        CreatePolicyVersion CreateRole CreateSAMLProvider CreateServiceLinkedRole CreateUser CreateVirtualMFADevice
        DeleteAccessKey DeleteAccountAlias DeleteAccountPasswordPolicy DeleteGroup DeleteGroupPolicy
        DeleteInstanceProfile DeleteLoginProfile DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole
        DeleteRolePermissionsBoundary DeleteRolePolicy DeleteSAMLProvider DeleteSSHPublicKey DeleteServerCertificate
        DeleteServiceLinkedRole DeleteSigningCertificate DeleteUser DeleteUserPolicy DeleteVirtualMFADevice
        DetachGroupPolicy DetachRolePolicy DetachUserPolicy GenerateCredentialReport GetAccessKeyLastUsed
        GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountSummary GetCredentialReport GetGroup
        GetGroupPolicy GetInstanceProfile GetLoginProfile GetOpenIDConnectProvider GetPolicy GetPolicyVersion GetRole
        GetRolePolicy GetSAMLProvider GetSSHPublicKey GetServerCertificate GetServiceLinkedRoleDeletionStatus GetUser
        GetUserPolicy ListAccessKeys ListAccountAliases ListAttachedGroupPolicies ListAttachedRolePolicies
        ListAttachedUserPolicies ListEntitiesForPolicy ListGroupPolicies ListGroups ListGroupsForUser
        ListInstanceProfiles ListInstanceProfilesForRole ListMFADevices ListOpenIDConnectProviderTags
        ListOpenIDConnectProviders ListPolicies ListPolicyTags ListPolicyVersions ListRolePolicies ListRoleTags
        ListRoles ListSAMLProviders ListSSHPublicKeys ListServerCertificates ListSigningCertificates ListUserPolicies
        ListUserTags ListUsers ListVirtualMFADevices PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy
        PutUserPolicy RemoveRoleFromInstanceProfile RemoveUserFromGroup SetDefaultPolicyVersion TagInstanceProfile
        TagOpenIDConnectProvider TagPolicy TagRole TagUser UntagInstanceProfile UntagOpenIDConnectProvider UntagPolicy
        UntagRole UntagUser UpdateAccessKey UpdateAccountPasswordPolicy UpdateAssumeRolePolicy UpdateGroup
        UpdateLoginProfile UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription UpdateSAMLProvider
        UpdateSSHPublicKey UpdateSigningCertificate UpdateUser UploadSSHPublicKey UploadServerCertificate
        UploadSigningCertificate
        """
    ),
    "sts": _names("AssumeRole GetAccessKeyInfo GetCallerIdentity"),
    "glue": _names(
        """
        BatchCreatePartition BatchDeletePartition BatchDeleteTable BatchGetPartition BatchUpdatePartition
        CreateConnection CreateDatabase CreatePartition CreateRegistry CreateSchema CreateTable DeleteDatabase
        DeletePartition DeleteRegistry DeleteResourcePolicy DeleteSchema DeleteTable DeleteTableVersion GetConnection
        GetConnections GetDataCatalogEncryptionSettings GetDatabase GetDatabases GetPartition GetPartitionIndexes
        GetPartitions GetRegistry GetResourcePolicy GetSchema GetSchemaByDefinition GetSchemaVersion GetTable
        GetTableVersion GetTableVersions GetTables GetTags ListRegistries PutResourcePolicy PutSchemaVersionMetadata
        RegisterSchemaVersion TagResource UntagResource UpdateDatabase UpdatePartition UpdateSchema UpdateTable
        """
    ),
    "cognito-idp": _names(
        """
        AddCustomAttributes AdminAddUserToGroup AdminConfirmSignUp AdminCreateUser AdminDeleteUser
        AdminDeleteUserAttributes AdminDisableUser AdminEnableUser AdminGetUser AdminInitiateAuth
        AdminListGroupsForUser AdminRemoveUserFromGroup AdminResetUserPassword AdminRespondToAuthChallenge
        AdminSetUserPassword AdminUpdateUserAttributes AdminUserGlobalSignOut ChangePassword ConfirmSignUp CreateGroup
        CreateIdentityProvider CreateResourceServer CreateUserPool CreateUserPoolClient CreateUserPoolDomain DeleteGroup
        DeleteIdentityProvider DeleteUserPool DeleteUserPoolClient DeleteUserPoolDomain DescribeIdentityProvider
        DescribeResourceServer DescribeUserPool DescribeUserPoolClient DescribeUserPoolDomain GetGroup GetUser
        GetUserPoolMfaConfig GlobalSignOut InitiateAuth ListGroups ListIdentityProviders ListResourceServers
        ListUserPoolClients ListUserPools ListUsers ListUsersInGroup RespondToAuthChallenge SignUp UpdateGroup
        UpdateIdentityProvider UpdateUserAttributes UpdateUserPool UpdateUserPoolClient UpdateUserPoolDomain
        """
    ),
    "cloudwatch": _names(
        """
        DeleteDashboards GetDashboard GetMetricData GetMetricStatistics ListDashboards ListMetrics PutDashboard
        PutMetricData
        """
    ),
    "logs": _names(
        """
        CreateExportTask CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DeleteResourcePolicy
        DeleteRetentionPolicy DescribeExportTasks DescribeLogGroups DescribeLogStreams DescribeQueries
        DescribeResourcePolicies FilterLogEvents GetLogEvents GetQueryResults ListTagsForResource ListTagsLogGroup
        PutLogEvents PutResourcePolicy PutRetentionPolicy StartQuery TagLogGroup TagResource UntagLogGroup UntagResource
        """
    ),
    "secretsmanager": _names(
        """
        BatchGetSecretValue CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetRandomPassword
        GetResourcePolicy GetSecretValue ListSecretVersionIds ListSecrets PutResourcePolicy PutSecretValue
        RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret TagResource UntagResource UpdateSecret
        UpdateSecretVersionStage
        """
    ),
}

_TAGS = "nothing acts on tags"
_NONE = "setting it is refused, so there is none"
_POLICIES = "resource policies are not evaluated"
_KEYS_AND_USERS = _names(
    "CreateAccessKey DeleteAccessKey UpdateAccessKey ListAccessKeys CreateUser DeleteUser GetUser ListUsers UpdateUser"
)

#: of what is carried: what is kept and given back while nothing acts on it, by the reason.
METADATA_ONLY: dict[str, dict[str, frozenset[str]]] = {
    "s3": {
        "objects are stored as they are": _names("DeleteBucketEncryption GetBucketEncryption PutBucketEncryption"),
        "access is not enforced, but for a bucket policy's Deny": _names(
            """
            DeleteBucketOwnershipControls DeletePublicAccessBlock GetBucketAcl GetBucketOwnershipControls GetObjectAcl
            GetPublicAccessBlock PutBucketAcl PutBucketOwnershipControls PutObjectAcl PutPublicAccessBlock
            """
        ),
        "every object is at hand, whatever its storage class": _names("RestoreObject"),
        _NONE: _names(
            """
            DeleteBucketCors DeleteBucketLifecycle DeleteBucketReplication DeleteBucketWebsite
            GetBucketAccelerateConfiguration GetBucketCors GetBucketLifecycle GetBucketLifecycleConfiguration
            GetBucketLogging GetBucketNotification GetBucketNotificationConfiguration GetBucketReplication
            GetBucketWebsite ListBucketInventoryConfigurations
            """
        ),
        _TAGS: _names(
            "DeleteBucketTagging DeleteObjectTagging GetBucketTagging GetObjectTagging PutBucketTagging"
            " PutObjectTagging"
        ),
    },
    "iam": {
        "permissions are not enforced; SimulatePrincipalPolicy evaluates them": CARRIED["iam"] - _KEYS_AND_USERS,
    },
    "glue": {
        "nothing connects by it": _names("CreateConnection GetConnection GetConnections"),
        _POLICIES: _names("DeleteResourcePolicy GetResourcePolicy PutResourcePolicy"),
        _NONE: _names("GetDataCatalogEncryptionSettings"),
        _TAGS: _names("GetTags TagResource UntagResource"),
    },
    "cognito-idp": {
        "sign-in by providers other than COGNITO is refused": _names(
            "CreateIdentityProvider DeleteIdentityProvider DescribeIdentityProvider ListIdentityProviders"
            " UpdateIdentityProvider"
        ),
        _NONE: _names("GetUserPoolMfaConfig"),
    },
    "cloudwatch": {
        "nothing draws them": _names("DeleteDashboards GetDashboard ListDashboards PutDashboard"),
    },
    "logs": {
        "of each stream the last 200,000 events are kept, whatever their age": _names(
            "DeleteRetentionPolicy PutRetentionPolicy"
        ),
        _POLICIES: _names("DeleteResourcePolicy DescribeResourcePolicies PutResourcePolicy"),
        _TAGS: _names("ListTagsForResource ListTagsLogGroup TagLogGroup TagResource UntagLogGroup UntagResource"),
    },
    "secretsmanager": {
        _POLICIES: _names("DeleteResourcePolicy GetResourcePolicy PutResourcePolicy"),
        _TAGS: _names("TagResource UntagResource"),
    },
}

#: what moto answers and does not do, by the reason for which it is refused. An operation that is neither here nor
#: carried is one that moto does not have.
PRETENDED: dict[str, dict[str, frozenset[str]]] = {
    "s3": {
        "objects would not expire, move, be copied or be listed": _names(
            "PutBucketLifecycle PutBucketLifecycleConfiguration PutBucketReplication PutBucketInventoryConfiguration"
            " DeleteBucketInventoryConfiguration GetBucketInventoryConfiguration"
        ),
        "nobody would be notified": _names("PutBucketNotification PutBucketNotificationConfiguration"),
        "a read would write the log's object": _names("PutBucketLogging"),
        "there is no such endpoint": _names("PutBucketWebsite PutBucketAccelerateConfiguration"),
        "a browser's preflight request is unsigned, and refused": _names("PutBucketCors"),
        "only a part of its SQL, and only JSON as output": _names("SelectObjectContent"),
    },
    "iam": {
        "any code is taken": _names("EnableMFADevice DeactivateMFADevice"),
    },
    "sts": {
        "no assertion and no token is verified": _names("AssumeRoleWithSAML AssumeRoleWithWebIdentity"),
        "the keys open nothing": _names("GetFederationToken GetSessionToken"),
    },
    "glue": {
        "nothing would run": _names(
            """
            BatchGetJobs BatchGetTriggers BatchGetWorkflows CreateDevEndpoint CreateJob CreateMLTransform CreateSession
            CreateTrigger CreateWorkflow DeleteDevEndpoint DeleteJob DeleteMLTransform DeleteSession DeleteTrigger
            DeleteWorkflow GetDevEndpoint GetDevEndpoints GetJob GetJobRun GetJobRuns GetJobs GetMLTransform
            GetMLTransforms GetSession GetTrigger GetTriggers GetWorkflow GetWorkflowRun GetWorkflowRunProperties
            GetWorkflowRuns ListJobs ListSessions ListTriggers ListWorkflows PutWorkflowRunProperties StartJobRun
            StartTrigger StartWorkflowRun StopSession StopTrigger StopWorkflowRun UpdateWorkflow
            """
        ),
        "nothing would be encrypted": _names(
            """
            CreateSecurityConfiguration DeleteSecurityConfiguration GetSecurityConfiguration GetSecurityConfigurations
            PutDataCatalogEncryptionSettings
            """
        ),
    },
    "cognito-idp": {
        "one secret for all, and any code is taken": _names(
            """
            AdminSetUserMFAPreference AssociateSoftwareToken SetUserMFAPreference SetUserPoolMfaConfig
            VerifySoftwareToken
            """
        ),
        "no code is sent, and any is taken": _names("ConfirmForgotPassword ForgotPassword"),
    },
    "cloudwatch": {
        "no rule is evaluated": _names(
            "DeleteInsightRules DescribeInsightRules DisableInsightRules EnableInsightRules PutInsightRule"
        ),
    },
    "logs": {
        "no event is counted, forwarded or delivered": _names(
            """
            CreateDelivery DeleteDelivery DeleteDeliveryDestination DeleteDeliveryDestinationPolicy DeleteDeliverySource
            DeleteDestination DeleteMetricFilter DeleteSubscriptionFilter DescribeDeliveries
            DescribeDeliveryDestinations DescribeDeliverySources DescribeDestinations DescribeMetricFilters
            DescribeSubscriptionFilters GetDelivery GetDeliveryDestination GetDeliveryDestinationPolicy
            GetDeliverySource PutDeliveryDestination PutDeliveryDestinationPolicy PutDeliverySource PutDestination
            PutDestinationPolicy PutMetricFilter PutSubscriptionFilter StartLiveTail
            """
        ),
        "a task is done before it could be cancelled": _names("CancelExportTask"),
    },
    "secretsmanager": {
        "there is no function to rotate by": _names("CancelRotateSecret RotateSecret"),
    },
}


def carries(service: str, operation: str) -> bool:
    """Return True if moto does this operation for us."""
    return operation in CARRIED.get(service, ())
