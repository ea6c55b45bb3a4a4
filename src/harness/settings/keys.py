"""The keys that settings files may hold: what each takes, and from whom it counts.

Source: `permissions`, `hooks`, `sandbox` and the rest as in Claude Code's public settings reference;
`endpoint`, `endpoints`, `prices`, `modelAliases`, `trustedPaths`, `autoMode.model`, `.endpoint`, `.timeout` are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.messages import EFFORTS, MODES

Source = Literal["managed", "user", "project", "local", "file", "flag"]
# Files of the repository: whoever can commit writes them. All the other sources are the person's or the owner's.
REPOSITORY: frozenset[Source] = frozenset({"project", "local"})
UNTRUSTED_KEYS = frozenset({"permissions.deny", "permissions.ask"})  # what counts before trust

# key, kind and, where it does not count from every file, from whom: `person` not from a repository's files,
# `managed` only from the machine's owner, `true`/`false`/`mode` from a repository only where it tightens.
_TABLE = """
model                                   string
fallbackModel                           texts
availableModels                         strings
modelOverrides                          texts-map
modelAliases                            texts-map
effortLevel                             effort
alwaysThinkingEnabled                   boolean
language                                string
outputStyle                             string
agent                                   string
env                                     texts-map
endpoint.baseUrl                        string      person
endpoint.caFile                         string      person
endpoint.name                           string      person
endpoint.contextWindow                  integer     person
endpoint.maxOutput                      integer     person
endpoints                               endpoints   person
prices                                  prices      person
apiKeyHelper                            string      person
awsAuthRefresh                          string      person
awsCredentialExport                     string      person
otelHeadersHelper                       string      person
trustedPaths                            strings     person
permissions.allow                       strings
permissions.ask                         strings
permissions.deny                        strings
permissions.additionalDirectories       strings
permissions.defaultMode                 mode        mode
permissions.disableBypassPermissionsMode string
permissions.disableAutoMode             string
disableAutoMode                         string
skipDangerousModePermissionPrompt       boolean     person
useAutoModeDuringPlan                   boolean     person
autoMode.environment                    strings     person
autoMode.allow                          strings     person
autoMode.deny                           strings     person
autoMode.soft_deny                      strings     person
autoMode.classifyAllShell               boolean     person
autoMode.model                          string      person
autoMode.endpoint                       string      person
autoMode.timeout                        number      person
sandbox.enabled                         boolean     person
sandbox.mode                            level       person
sandbox.failIfUnavailable               boolean     true
sandbox.autoAllowBashIfSandboxed        boolean     false
sandbox.allowUnsandboxedCommands        boolean     false
sandbox.excludedCommands                strings     person
sandbox.enableWeakerNestedSandbox       boolean     person
sandbox.enableWeakerNetworkIsolation    boolean     person
sandbox.allowUnsandboxedHooks           boolean     person
sandbox.allowUnsandboxedServers         boolean     person
sandbox.ignoreViolations                object      person
sandbox.bwrapPath                       string      person
sandbox.socatPath                       string      person
sandbox.ripgrep                         object      person
sandbox.filesystem.allowWrite           strings     person
sandbox.filesystem.denyWrite            strings
sandbox.filesystem.denyRead             strings
sandbox.filesystem.allowRead            strings     person
sandbox.filesystem.allowManagedReadPathsOnly boolean managed
sandbox.filesystem.disabled             boolean     person
sandbox.network.allowedDomains          strings     person
sandbox.network.deniedDomains           strings
sandbox.network.strictAllowlist         boolean     true
sandbox.network.allowUnixSockets        strings     person
sandbox.network.allowAllUnixSockets     boolean     person
sandbox.network.allowLocalBinding       boolean     person
sandbox.network.allowManagedDomainsOnly boolean     managed
sandbox.network.httpProxyPort           integer     person
sandbox.network.socksProxyPort          integer     person
sandbox.credentials                     object      person
hooks                                   hooks
disableAllHooks                         boolean     person
allowManagedHooksOnly                   boolean     managed
allowedHttpHookUrls                     strings     person
httpHookAllowedEnvVars                  strings     person
enabledPlugins                          object
extraKnownMarketplaces                  object
strictKnownMarketplaces                 any         managed
blockedMarketplaces                     any         managed
disableBundledSkills                    boolean
disableSkillShellExecution              boolean
mcpServers                              object      person
enableAllProjectMcpServers              boolean
enabledMcpjsonServers                   strings
disabledMcpjsonServers                  strings
allowedMcpServers                       list        managed
deniedMcpServers                        list
autoCompactEnabled                      boolean
autoCompactWindow                       number
autoCompactPercent                      integer
autoMemoryEnabled                       boolean
autoMemoryDirectory                     string      person
claudeMdExcludes                        strings
claudeMd                                string      managed
plansDirectory                          string      person
fileCheckpointingEnabled                boolean     true
cleanupPeriodDays                       number      person
statusLine                              object
subagentStatusLine                      object
fileSuggestion                          object
theme                                   string
tui                                     string
editorMode                              string
verbose                                 boolean
viewMode                                string
respectGitignore                        boolean
defaultShell                            string      person
askUserQuestionTimeout                  any         person
companyAnnouncements                    strings
attribution                             object
includeCoAuthoredBy                     boolean
includeGitInstructions                  boolean
worktree                                object
"""
SANDBOXES = ("full", "degraded", "external")
SAFE_MODES = frozenset({"default", "manual", "plan", "acceptEdits", "dontAsk"})  # those a trusted repository may set


@dataclass(frozen=True, slots=True)
class Key:
    kind: str
    scope: str = ""


def _parsed() -> dict[str, Key]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return {name: Key(kind, *scope) for name, kind, *scope in rows}


KEYS: Mapping[str, Key] = _parsed()
GROUPS = frozenset(
    ".".join(parts[:depth]) for parts in (key.split(".") for key in KEYS) for depth in range(1, len(parts))
)
# Arrays that are one value, not a list to add to.
WHOLE = frozenset({"fallbackModel", "availableModels"})

_KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a string"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "strings": (list, "a list of strings"),
    "texts": ((str, list), "a string or a list of strings"),
    "texts-map": (dict, "an object"),
    "list": (list, "a list"),
    "object": (dict, "an object"),
    "hooks": (dict, "an object"),
    "endpoints": (dict, "an object"),
    "prices": (dict, "an object"),
    "effort": (str, "a string"),
    "mode": (str, "a string"),
    "level": (str, "a string"),
    "any": (object, "anything"),
}


def wrong(key: str, value: object) -> str:
    """What is wrong with the value of a known key, as `KEY must be ...`; '' where nothing is."""
    kind = KEYS[key].kind
    types, words = _KINDS[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind in {"integer", "number"}):
        return f"{key} must be {words}"
    if kind == "mode" and value not in (*MODES, "manual"):
        return f"{key} is {value!r}, it must be one of {', '.join(MODES)}"
    if kind == "level" and value not in SANDBOXES:
        return f"{key} is {value!r}, it must be one of {', '.join(SANDBOXES)}"
    if kind == "effort" and value not in EFFORTS:
        return f"{key} is {value!r}, it must be one of {', '.join(EFFORTS)}"
    return ""


def counts(key: str, value: Any, source: Source) -> bool:
    """Whether a key of a file of this source counts at all, trusted or not."""
    scope = KEYS[key].scope
    if scope == "managed":
        return source == "managed"
    if source not in REPOSITORY:
        return True
    match scope:
        case "person":
            return False
        case "mode":
            return value in SAFE_MODES
        case "true" | "false":
            return value is (scope == "true")
    return True
