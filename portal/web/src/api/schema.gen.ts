// Written by tools/portal_client.py from the server's OpenAPI document. Not to be edited.

export interface AccessAnswer {
  allowed: boolean;
  explanation: string;
  misses: string[];
  path: AccessPath | null;
  near: AccessPath[];
}

export interface AccessPath {
  role: string;
  pattern: string;
  grant: string;
  granted_by: string;
  expires: number;
  lacks: "" | "scope" | "permission";
}

export interface AccessQuestion {
  permission: string;
  pattern: string;
}

export interface AccessRequest {
  id: string;
  state: "waiting" | "accepted" | "refused" | "withdrawn";
  environment: string;
  consumer: string;
  provider: string;
  service: string;
  reason: string;
  author: string;
  created_at: number;
  answer: string;
  decided_by: string;
  decided_at: number;
  publishing: string;
  publishing_state: string;
}

export interface AccessRequestPage {
  items: AccessRequest[];
  next: string;
}

export interface AccessToken {
  id: string;
  name: string;
  permissions: string[];
  pattern: string;
  created_at: number;
  expires_at: number;
  last_used_at: number;
}

export interface AccessTokenPage {
  items: AccessToken[];
  next: string;
}

export interface Acknowledgement {
  scope: Scope;
  instance: Instance;
  held: Held[];
}

export interface AnswerCommand {
  reason: string;
}

export interface Application {
  tenant: string;
  center: string;
  name: string;
  title: string;
  owner: string;
  created_at: number;
}

export interface ApplicationChange {
  title?: string | null;
  owner?: string | null;
}

export interface ApplicationPage {
  items: Application[];
  next: string;
}

export interface AskCommand {
  center: string;
  application: string;
  service: string;
  reason: string;
}

export interface AskDefinitions {
  microservice: string;
  service?: string;
  after?: string;
}

export interface AskVotes {
  microservice: string;
}

export interface AuditRecord {
  chain: string;
  seq: number;
  at: number;
  actor_kind: string;
  actor_id: string;
  actor_name: string;
  address: string;
  session: string;
  action: string;
  tenant: string;
  environment: string;
  center: string;
  application: string;
  resource: string;
  outcome: string;
  reason: string;
  changes: unknown[];
  count: number;
  request_id: string;
  trace_id: string;
  previous: string;
  hash: string;
}

export interface AuditRecordPage {
  items: AuditRecord[];
  next: string;
}

export interface BodyEdit {
  format: "json" | "text" | "base64";
  text: string;
}

export interface Bundle {
  scope: Scope;
  capability: string;
}

export interface BundleRow {
  bundle: Bundle;
  position: [number, number];
  drafts: number;
  requests: number;
  gray: boolean;
  instances: number;
  current: number;
  failed: number;
  published_at: number;
  published_by: string;
  message: string;
}

export interface BundleRowPage {
  items: BundleRow[];
  next: string;
}

export interface BundleStatus {
  bundle: Bundle;
  position: [number, number];
  drafts: number;
  resources: number;
  size: number;
  gray: GrayStatus | null;
  requests: number;
}

export interface Cast {
  session: string;
  microservice: string;
  vote: Vote;
}

export interface Center {
  tenant: string;
  name: string;
  title: string;
  created_at: number;
}

export interface CenterChange {
  title: string;
}

export interface CenterPage {
  items: Center[];
  next: string;
}

export interface Change {
  path: string;
  before: unknown;
  after: unknown;
}

export interface CheckResult {
  ok: boolean;
  problems: LocatedProblem[];
}

export interface Convergence {
  position: [number, number];
  published_at: number;
  total: number;
  current: number;
  behind: number;
  failed: number;
  p50_ms: number | null;
  p99_ms: number | null;
  instances: ConvergenceInstance[];
  by_cluster: ConvergenceCluster[];
}

export interface ConvergenceCluster {
  cluster: string;
  total: number;
  current: number;
  failed: number;
}

export interface ConvergenceInstance {
  name: string;
  cluster: string;
  host: string;
  status: string;
  error: string;
  current: boolean;
  gray: string;
  position: [number, number];
  ms: number | null;
}

export interface Credential {
  id: string;
  title: string;
  active: boolean;
  created_at: number;
  created_by: string;
  expires_at: number;
  revoked_at: number;
  last_used_at: number;
}

export interface CredentialPage {
  items: Credential[];
  next: string;
}

export interface DeadActionDetail {
  number: number;
  letter: DeadLetterView;
  what: "resent" | "deleted";
  by: string;
  at: number;
  reason: string;
  changed: ("body" | "headers" | "key" | "tag")[];
  stack: string;
}

export interface DeadActionMessages {
  died: MessageView;
  sent: MessageView | null;
}

export interface DeadActionView {
  number: number;
  letter: DeadLetterView;
  what: "resent" | "deleted";
  by: string;
  at: number;
  reason: string;
  changed: ("body" | "headers" | "key" | "tag")[];
}

export interface DeadActionViewPage {
  items: DeadActionView[];
  next: string;
}

export interface DeadCauseView {
  cause: string;
  topic: string;
  group: string;
  count: number;
  first: number;
  last: number;
  newest: number;
  error: string;
}

export interface DeadCauseViewPage {
  items: DeadCauseView[];
  next: string;
}

export interface DeadLetterDetail {
  number: number;
  topic: string;
  group: string;
  id: string;
  key: string;
  tag: string;
  center: string;
  application: string;
  error: string;
  attempts: number;
  died_at: number;
  queue: string;
  position: number;
  cause: string;
  refused: boolean;
  stack: string;
}

export interface DeadLetterView {
  number: number;
  topic: string;
  group: string;
  id: string;
  key: string;
  tag: string;
  center: string;
  application: string;
  error: string;
  attempts: number;
  died_at: number;
  queue: string;
  position: number;
  cause: string;
  refused: boolean;
}

export interface DeadLetterViewPage {
  items: DeadLetterView[];
  next: string;
}

export interface DeadOutcomeView {
  number: number;
  done: boolean;
  code: string;
  detail: string;
}

export interface DecisionCommand {
  message?: string;
}

export interface Definition {
  service: string;
  digest: string;
  document: Record<string, unknown>;
}

export interface DefinitionDetail {
  view: DefinitionView;
  definition: Definition;
}

export interface DefinitionView {
  service: string;
  digest: string;
  size: number;
  published_at: number;
}

export interface DefinitionViewPage {
  items: DefinitionView[];
  next: string;
}

export interface Definitions {
  definitions: Definition[];
  next: string;
}

export interface DeleteCommand {
  numbers: number[];
  reason: string;
}

export interface Deregister {
  session: string;
  microservice: string;
  node: string;
}

export interface Difference {
  revision: number;
  pending: PendingChange[];
}

export interface DraftCommand {
  body: unknown;
}

export interface EffectLine {
  pattern: string;
  permissions: string[];
}

export interface EffectiveValue {
  namespace: string;
  key: string;
  value: unknown;
  origin: string;
  secret: boolean;
  inherited: boolean;
  gray: string;
  shadowed: ShadowedValue[];
}

export interface EffectiveView {
  cluster: string;
  values: EffectiveValue[];
  missing: string[];
}

export interface Environment {
  tenant: string;
  name: string;
  title: string;
  protected: boolean;
  created_at: number;
}

export interface EnvironmentChange {
  title?: string | null;
  protected?: boolean | null;
}

export interface EnvironmentPage {
  items: Environment[];
  next: string;
}

export interface FetchRequest {
  instance: Instance;
  bundle: Bundle;
  at_least?: [number, number];
  have?: string;
  have_position?: [number, number];
}

export interface FirstStart {
  token: string;
  name: string;
  password: string;
  title?: string;
}

export interface GrantEffect {
  gained: EffectLine[];
  lost: EffectLine[];
  already: EffectLine[];
  replaces_nothing: boolean;
}

export interface GrayChangeCommand {
  rule: GrayRule;
  expected_revision: number;
}

export interface GrayEndCommand {
  expected_revision: number;
  message?: string;
}

export interface GrayPreview {
  total: number;
  matching: number;
  instances: string[];
}

export interface GrayRule {
  labels?: Record<string, string>[];
  instances?: string[];
  percent?: number;
  count?: number;
}

export interface GrayStatus {
  id: string;
  rule: GrayRule;
  revision: number;
  author: string;
  started_at: number;
  resources: [string, string, string][];
  instances: string[];
}

export interface HeadersEdit {
  values: Record<string, string>;
  binary?: string[];
}

export interface Held {
  bundle: Bundle;
  position: [number, number];
  digest?: string;
  gray?: string;
  status?: "applied" | "failed" | "rejected";
  error?: string;
  took_ms?: number;
  from_disk?: boolean;
}

export interface HeldRole {
  role: string;
  pattern: string;
  permissions: string[];
}

export interface Hit {
  type: string;
  title: string;
  detail: string;
  tenant: string;
  environment: string;
  center: string;
  application: string;
  capability: string;
  kind: string;
  name: string;
  path: string;
}

export interface ImportLine {
  namespace: string;
  action: "add" | "change" | "keep" | "refuse";
  reason: string;
}

export interface ImportResult {
  dry_run: boolean;
  lines: ImportLine[];
}

export interface Instance {
  name: string;
  cluster?: string;
  labels?: Record<string, string>;
  host?: string;
  process?: number;
  version?: string;
}

export interface InstanceStatus {
  instance: Instance;
  node: string;
  alive: boolean;
  connected_at: number;
  seen_at: number;
  position: [number, number];
  digest: string;
  gray: string;
  status: string;
  error: string;
  current: boolean;
  applied_at: number;
  age_ms: number;
  took_ms: number;
}

export interface InstanceStatusPage {
  items: InstanceStatus[];
  next: string;
}

export interface IssuedAccessToken {
  token: string;
  info: AccessToken;
}

export interface IssuedCredential {
  id: string;
  secret: string;
  scope: Scope;
  expires_at: number;
}

export interface KindInfo {
  capability: string;
  name: string;
  plural: string;
  title: string;
  home: string;
  schema: Record<string, unknown>;
  permissions: Record<string, string>;
  bundle: boolean;
  resource_bytes: number;
  bundle_bytes: number;
  bundle_count: number;
}

export interface Live {
  alive: boolean;
  version: string;
  node: string;
  up_seconds: number;
}

export interface LocatedProblem {
  kind: string;
  name: string;
  message: string;
  path: string;
  line: number;
  column: number;
}

export interface Me {
  kind: string;
  id: string;
  name: string;
  tenant: string;
  via: string;
  roles: HeldRole[];
}

export interface MessageView {
  key: string;
  tag: string;
  headers: Record<string, string>;
  binary: string[];
  format: "json" | "text" | "base64";
  body: string;
  size: number;
  whole: boolean;
  exact: boolean;
  unread: string;
}

export interface MicroserviceView {
  name: string;
  center: string;
  nodes: NodeCounts;
  overridden: number;
  changed_at: number;
  services: number;
}

export interface MicroserviceViewPage {
  items: MicroserviceView[];
  next: string;
}

export interface NewAccessToken {
  name: string;
  lifetime_days: number;
  permissions?: string[];
  pattern?: string;
}

export interface NewApplication {
  name: string;
  title?: string;
  owner?: string;
}

export interface NewCenter {
  name: string;
  title?: string;
}

export interface NewCredential {
  title?: string;
  expires_at?: number;
}

export interface NewEnvironment {
  name: string;
  title?: string;
  protected?: boolean;
}

export interface NewGrant {
  user: string;
  role: string;
  pattern: string;
  not_before?: number;
  expires?: number;
  reason?: string;
}

export interface NewRole {
  name: string;
  permissions: string[];
  title?: string;
}

export interface NewTenant {
  name: string;
  title?: string;
}

export interface NewUser {
  name: string;
  password: string;
  title?: string;
}

export interface Node {
  name: string;
  addresses: Record<string, string>;
  services?: Record<string, Provided>;
  state?: "starting" | "ready" | "draining" | "offline";
  weight?: number;
  zone?: string;
  cluster?: string;
  tags?: Record<string, string>;
  started_at?: number;
}

export interface NodeChange {
  state?: "offline" | null;
  weight?: number | null;
  reason?: string;
}

export interface NodeCounts {
  starting: number;
  ready: number;
  draining: number;
  offline: number;
}

export interface NodeDetail {
  view: NodeView;
  node: Node | null;
}

export interface NodeView {
  name: string;
  present: boolean;
  state: "starting" | "ready" | "draining" | "offline";
  weight: number;
  own_state: "starting" | "ready" | "draining" | "offline";
  own_weight: number;
  cluster: string;
  override: OverrideView | null;
  center: string;
  application: string;
  registered_at: number;
  session_age_ms: number | null;
}

export interface NodeViewPage {
  items: NodeView[];
  next: string;
}

export interface OfSession {
  session: string;
}

export interface OfferView {
  environment: string;
  center: string;
  application: string;
  service: string;
  state: "registered" | "online" | "offline";
  version: string;
  group: string;
  digest: string;
  access: "open" | "subscribers";
  methods: number;
  subscribers: string[];
  consumers: string[];
  revision: number;
  description: string;
}

export interface OfferViewPage {
  items: OfferView[];
  next: string;
}

export interface Opened {
  session: string;
  lease_seconds: number;
  renew_seconds: number;
}

export interface OverrideView {
  state: "offline" | null;
  weight: number | null;
  reason: string;
  set_by: string;
  set_at: number;
}

export interface Part {
  ready: boolean;
  reason: string;
  since: number;
}

export interface PasswordChange {
  current: string;
  new: string;
}

export interface PendingChange {
  kind: string;
  name: string;
  action: "add" | "change" | "remove";
  version: string;
  author: string;
  edited_at: number;
  changes: Change[];
}

export interface Permission {
  name: string;
  meaning: string;
}

export interface Problem {
  column: number;
  line: number;
  message: string;
  path: string;
}

export interface ProblemDocument {
  code: string;
  detail: string;
  facts: Record<string, unknown>;
  problems: Problem[];
  request_id: string;
  retry_after: number | null;
  status: number;
  title: string;
  type: string;
}

export interface Provided {
  version?: string;
  group?: string;
  digest?: string;
}

export interface PublicKey {
  kid: string;
  x: string;
  kty: string;
  crv: string;
  use: string;
}

export interface PublicKeys {
  keys: PublicKey[];
  again_in: number;
}

export interface Publish {
  microservice: string;
  definition: Definition;
}

export interface PublishCommand {
  expected_revision: number;
  message?: string;
  only?: [string, string][] | null;
  gray?: GrayRule | null;
  at?: number | null;
}

export interface PublishOutcome {
  release: Release | null;
  request: PublishRequest | null;
}

export interface PublishRequest {
  id: string;
  state: "waiting" | "scheduled" | "published" | "rejected" | "cancelled" | "failed";
  author: string;
  message: string;
  created_at: number;
  base_revision: number;
  resources: [string, string, string][];
  at: number;
  reviewer: string;
  decided_at: number;
  error: string;
  gray: GrayRule | null;
  revision: number;
  action: "publish" | "gray" | "gray_change" | "promote";
}

export interface Readiness {
  ready: boolean;
  parts: Record<string, string>;
}

export interface Register {
  session: string;
  microservice: string;
  node: Node;
  gently?: boolean;
  had?: boolean;
}

export interface Registered {
  held: boolean;
}

export interface Release {
  revision: number;
  epoch: number;
  action: "publish" | "rollback" | "gray" | "gray_change" | "promote" | "abort" | "restore";
  author: string;
  message: string;
  created_at: number;
  approved_by: string;
  gray: string;
  from_revision: number;
  changed: [string, string, string][];
}

export interface ReleaseDetail {
  release: Release;
  resources: ReleaseResource[];
  gray_resources: ReleaseResource[];
  gray_rule: GrayRule | null;
}

export interface ReleasePage {
  items: Release[];
  next: string;
}

export interface ReleaseResource {
  kind: string;
  name: string;
  digest: string;
  body: unknown;
}

export interface ResendCommand {
  reason?: string;
  body?: BodyEdit | null;
  headers?: HeadersEdit | null;
  key?: string | null;
  tag?: string | null;
}

export interface ResendManyCommand {
  numbers: number[];
  reason?: string;
}

export interface Resent {
  id: string;
  outcome: "accepted" | "spooled" | "refused" | "unknown";
  queue: string;
  position: number;
}

export interface ResourceDetail {
  kind: string;
  name: string;
  state: "published" | "new" | "changed" | "removed";
  version: string;
  revision: number;
  published: unknown;
  draft: unknown;
  edited_by: string;
  edited_at: number;
}

export interface ResourceSummary {
  kind: string;
  name: string;
  state: "published" | "new" | "changed" | "removed";
  version: string;
  digest: string;
  size: number;
  changed_revision: number;
  edited_by: string;
  edited_at: number;
}

export interface ResourceSummaryPage {
  items: ResourceSummary[];
  next: string;
}

export interface Role {
  name: string;
  tenant: string;
  title: string;
  permissions: string[];
}

export interface RoleChange {
  permissions?: string[] | null;
  title?: string | null;
}

export interface RoleGrant {
  id: string;
  user: string;
  user_name: string;
  role: string;
  pattern: string;
  not_before: number;
  expires: number;
  granted_by: string;
  reason: string;
  created_at: number;
}

export interface RoleGrantPage {
  items: RoleGrant[];
  next: string;
}

export interface RolePage {
  items: Role[];
  next: string;
}

export interface RollbackCommand {
  to_revision: number;
  expected_revision: number;
  message?: string;
}

export interface RotateCredential {
  overlap_seconds?: number;
}

export interface Scope {
  tenant: string;
  environment: string;
  center: string;
  application: string;
}

export interface SearchHit {
  bundle: string;
  namespace: string;
  key: string;
  value: string;
}

export interface SearchHitPage {
  items: SearchHit[];
  next: string;
}

export interface ServerNode {
  address: string;
  alive: boolean;
  self: boolean;
  node: string | null;
  version: string | null;
  streams: number | null;
  instances: number | null;
  started_at: number | null;
  condition: Record<string, Part> | null;
}

export interface SessionInfo {
  id: string;
  created_at: number;
  seen_at: number;
  expires_at: number;
  address: string;
  agent: string;
  current: boolean;
}

export interface SessionInfoPage {
  items: SessionInfo[];
  next: string;
}

export interface Setting {
  section: string;
  key: string;
  type: string;
  value: string;
  default: string;
  source: string;
  description: string;
  secret: boolean;
}

export interface ShadowedValue {
  value: unknown;
  origin: string;
}

export interface SignIn {
  name: string;
  password: string;
  tenant?: string;
}

export interface Tenant {
  name: string;
  title: string;
  disabled: boolean;
  created_at: number;
}

export interface TenantChange {
  title?: string | null;
  disabled?: boolean | null;
}

export interface TenantPage {
  items: Tenant[];
  next: string;
}

export interface User {
  id: string;
  tenant: string;
  name: string;
  title: string;
  disabled: boolean;
  created_at: number;
  signed_in_at: number;
}

export interface UserChange {
  title?: string | null;
  disabled?: boolean | null;
  password?: string | null;
}

export interface UserPage {
  items: User[];
  next: string;
}

export interface Verification {
  chain: string;
  intact: boolean;
  first: number;
  last: number;
  hash: string;
  broken_at: number;
  reason: string;
}

export interface Vote {
  service: string;
  node: string;
  voter: string;
  value?: string;
}

export interface Votes {
  votes: Vote[];
}

export interface Work {
  drafts: WorkDraft[];
  approvals: WorkRequest[];
  asked: WorkRequest[];
  failing: WorkInstance[];
  releases: WorkRelease[];
  counts: WorkCounts;
}

export interface WorkCounts {
  drafts: number;
  approvals: number;
  asked: number;
  failing: number;
  bundles: number;
  instances: number;
  behind: number;
}

export interface WorkDraft {
  bundle: Bundle;
  kind: string;
  name: string;
  action: "add" | "change" | "remove";
  author: string;
  edited_at: number;
  mine: boolean;
}

export interface WorkInstance {
  bundle: Bundle;
  name: string;
  cluster: string;
  status: string;
  error: string;
  position: [number, number];
  applied_at: number;
  alive: boolean;
}

export interface WorkRelease {
  bundle: Bundle;
  release: Release;
}

export interface WorkRequest {
  bundle: Bundle;
  request: PublishRequest;
}

export interface kernel_protocol_Token {
  token: string;
  expires_in: number;
  scope: Scope;
  server_time: number;
}

export interface kernel_protocol_TokenRequest {
  credential: string;
  timestamp: number;
  nonce: string;
  signature: string;
}

export interface rpc_model_kinds_Token {
  token: string;
  expires_in: number;
}

export interface rpc_model_kinds_TokenRequest {
  public?: string;
}

export interface Operations {
  "GET /": { answer: string };
  "GET /api/v1/audit/records": { query: { actor?: string; action?: string; outcome?: string; resource?: string; environment?: string; center?: string; application?: string; request_id?: string; since?: number; until?: number; after?: number; limit?: number }; answer: AuditRecordPage };
  "GET /api/v1/audit/tenants/{tenant}/records": { path: { tenant: string }; query: { actor?: string; action?: string; outcome?: string; resource?: string; environment?: string; center?: string; application?: string; request_id?: string; since?: number; until?: number; after?: number; limit?: number }; answer: AuditRecordPage };
  "POST /api/v1/audit/tenants/{tenant}/verify": { path: { tenant: string }; answer: Verification };
  "POST /api/v1/audit/verify": { answer: Verification };
  "GET /api/v1/bundles/{tenant}": { path: { tenant: string }; query: { environment?: string; center?: string; application?: string; capability?: string; words?: string; state?: "" | "drafts" | "requests" | "gray" | "failing" | "behind"; after?: string; limit?: number }; answer: BundleRowPage };
  "GET /api/v1/catalog/offers/{tenant}": { path: { tenant: string }; query: { environment?: string; words?: string; state?: "" | "registered" | "online" | "offline"; after?: string; limit?: number }; answer: OfferViewPage };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/access-requests": { path: { tenant: string; environment: string; center: string; application: string }; body: AskCommand; answer: AccessRequest };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/access-requests/asked": { path: { tenant: string; environment: string; center: string; application: string }; query: { decided?: boolean; after?: string; limit?: number }; answer: AccessRequestPage };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/access-requests/received": { path: { tenant: string; environment: string; center: string; application: string }; query: { decided?: boolean; after?: string; limit?: number }; answer: AccessRequestPage };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/access-requests/{request_id}/accept": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: AnswerCommand; answer: AccessRequest };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/access-requests/{request_id}/refuse": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: AnswerCommand; answer: AccessRequest };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/access-requests/{request_id}/withdraw": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: AnswerCommand; answer: AccessRequest };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/check": { path: { tenant: string; environment: string; center: string; application: string }; answer: CheckResult };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/convergence": { path: { tenant: string; environment: string; center: string; application: string }; answer: Convergence };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/drafts": { path: { tenant: string; environment: string; center: string; application: string }; answer: Difference };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; answer: GrayStatus | null };
  "PUT /api/v1/catalog/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayChangeCommand; answer: PublishOutcome };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/gray/abort": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: Release };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/gray/preview": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayRule; answer: GrayPreview };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/gray/promote": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: PublishOutcome };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/instances": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number; words?: string; state?: "" | "current" | "failed" | "behind" }; answer: InstanceStatusPage };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/offers": { path: { tenant: string; environment: string; center: string; application: string }; query: { words?: string; state?: "" | "registered" | "online" | "offline"; after?: string; limit?: number }; answer: OfferViewPage };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: number; limit?: number }; answer: ReleasePage };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; body: PublishCommand; answer: PublishOutcome };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/releases/{revision}": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; answer: ReleaseDetail };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/releases/{revision}/changes": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; query: { since?: number | null }; answer: PendingChange[] };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/requests": { path: { tenant: string; environment: string; center: string; application: string }; query: { decided?: boolean; limit?: number }; answer: PublishRequest[] };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/requests/{request_id}/approve": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/requests/{request_id}/cancel": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/requests/{request_id}/reject": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/catalog/{tenant}/{environment}/{center}/{application}/rollback": { path: { tenant: string; environment: string; center: string; application: string }; body: RollbackCommand; answer: Release };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/services": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/services/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/catalog/{tenant}/{environment}/{center}/{application}/services/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/catalog/{tenant}/{environment}/{center}/{application}/services/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/catalog/{tenant}/{environment}/{center}/{application}/services/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/services/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/status": { path: { tenant: string; environment: string; center: string; application: string }; answer: BundleStatus };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/subscriptions": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/subscriptions/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/catalog/{tenant}/{environment}/{center}/{application}/subscriptions/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/catalog/{tenant}/{environment}/{center}/{application}/subscriptions/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/catalog/{tenant}/{environment}/{center}/{application}/subscriptions/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/catalog/{tenant}/{environment}/{center}/{application}/subscriptions/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/config/search/{tenant}": { path: { tenant: string }; query: { words: string; after?: string; limit?: number }; answer: SearchHitPage };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/check": { path: { tenant: string; environment: string; center: string; application: string }; answer: CheckResult };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/convergence": { path: { tenant: string; environment: string; center: string; application: string }; answer: Convergence };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/drafts": { path: { tenant: string; environment: string; center: string; application: string }; answer: Difference };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/effective": { path: { tenant: string; environment: string; center: string; application: string }; query: { cluster?: string; instance?: string; labels?: string; namespace?: string; key?: string; reveal?: boolean }; answer: EffectiveView };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/export": { path: { tenant: string; environment: string; center: string; application: string }; query: { reveal?: boolean }; answer: string };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/export/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { format?: "properties" | "yaml" | "json" | "toml" | "text" | null; reveal?: boolean }; answer: string };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; answer: GrayStatus | null };
  "PUT /api/v1/config/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayChangeCommand; answer: PublishOutcome };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/gray/abort": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: Release };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/gray/preview": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayRule; answer: GrayPreview };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/gray/promote": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: PublishOutcome };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/import": { path: { tenant: string; environment: string; center: string; application: string }; query: { policy?: "fail" | "skip" | "overwrite" | "merge"; dry_run?: boolean }; answer: ImportResult };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/import/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { format: "properties" | "yaml" | "json" | "toml" | "text"; policy?: "fail" | "skip" | "overwrite" | "merge"; dry_run?: boolean }; answer: ImportResult };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/instances": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number; words?: string; state?: "" | "current" | "failed" | "behind" }; answer: InstanceStatusPage };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/namespaces": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/namespaces/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/config/{tenant}/{environment}/{center}/{application}/namespaces/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/config/{tenant}/{environment}/{center}/{application}/namespaces/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/config/{tenant}/{environment}/{center}/{application}/namespaces/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/namespaces/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: number; limit?: number }; answer: ReleasePage };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; body: PublishCommand; answer: PublishOutcome };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/releases/{revision}": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; answer: ReleaseDetail };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/releases/{revision}/changes": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; query: { since?: number | null }; answer: PendingChange[] };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/requests": { path: { tenant: string; environment: string; center: string; application: string }; query: { decided?: boolean; limit?: number }; answer: PublishRequest[] };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/requests/{request_id}/approve": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/requests/{request_id}/cancel": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/requests/{request_id}/reject": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/config/{tenant}/{environment}/{center}/{application}/rollback": { path: { tenant: string; environment: string; center: string; application: string }; body: RollbackCommand; answer: Release };
  "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/status": { path: { tenant: string; environment: string; center: string; application: string }; answer: BundleStatus };
  "POST /api/v1/identity/first-start": { body: FirstStart; answer: Me };
  "GET /api/v1/identity/grants": { query: { user?: string; role?: string; place?: string; level?: "" | "platform" | "tenant" | "environment" | "center" | "application"; state?: "" | "now" | "later" | "ending" | "over"; words?: string; after?: string; limit?: number }; answer: RoleGrantPage };
  "POST /api/v1/identity/grants": { body: NewGrant; answer: RoleGrant };
  "POST /api/v1/identity/grants/preview": { body: NewGrant; answer: GrantEffect };
  "DELETE /api/v1/identity/grants/{grant}": { path: { grant: string }; answer: void };
  "POST /api/v1/identity/grants/{grant}/preview-removal": { path: { grant: string }; answer: GrantEffect };
  "POST /api/v1/identity/login": { body: SignIn; answer: Me };
  "POST /api/v1/identity/logout": { answer: null };
  "GET /api/v1/identity/me": { answer: Me };
  "POST /api/v1/identity/me/explain": { body: AccessQuestion; answer: AccessAnswer };
  "POST /api/v1/identity/me/password": { body: PasswordChange; answer: void };
  "GET /api/v1/identity/permissions": { answer: Permission[] };
  "GET /api/v1/identity/roles": { answer: RolePage };
  "GET /api/v1/identity/sessions": { answer: SessionInfoPage };
  "DELETE /api/v1/identity/sessions/{session}": { path: { session: string }; answer: void };
  "GET /api/v1/identity/tenants": { query: { after?: string; limit?: number; words?: string }; answer: TenantPage };
  "POST /api/v1/identity/tenants": { body: NewTenant; answer: Tenant };
  "GET /api/v1/identity/tenants/{tenant}": { path: { tenant: string }; answer: Tenant };
  "PATCH /api/v1/identity/tenants/{tenant}": { path: { tenant: string }; body: TenantChange; answer: Tenant };
  "GET /api/v1/identity/tenants/{tenant}/applications": { path: { tenant: string }; query: { center?: string; words?: string; sort?: string; after?: string; limit?: number }; answer: ApplicationPage };
  "GET /api/v1/identity/tenants/{tenant}/centers": { path: { tenant: string }; query: { after?: string; limit?: number; words?: string }; answer: CenterPage };
  "POST /api/v1/identity/tenants/{tenant}/centers": { path: { tenant: string }; body: NewCenter; answer: Center };
  "PATCH /api/v1/identity/tenants/{tenant}/centers/{center}": { path: { tenant: string; center: string }; body: CenterChange; answer: Center };
  "DELETE /api/v1/identity/tenants/{tenant}/centers/{center}": { path: { tenant: string; center: string }; answer: void };
  "GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications": { path: { tenant: string; center: string }; query: { after?: string; limit?: number }; answer: ApplicationPage };
  "POST /api/v1/identity/tenants/{tenant}/centers/{center}/applications": { path: { tenant: string; center: string }; body: NewApplication; answer: Application };
  "GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}": { path: { tenant: string; center: string; application: string }; answer: Application };
  "PATCH /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}": { path: { tenant: string; center: string; application: string }; body: ApplicationChange; answer: Application };
  "DELETE /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}": { path: { tenant: string; center: string; application: string }; answer: void };
  "GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials": { path: { tenant: string; environment: string; center: string; application: string }; answer: CredentialPage };
  "POST /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials": { path: { tenant: string; environment: string; center: string; application: string }; body: NewCredential; answer: IssuedCredential };
  "DELETE /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials/{credential}": { path: { tenant: string; environment: string; center: string; application: string; credential: string }; answer: void };
  "POST /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials/{credential}/rotate": { path: { tenant: string; environment: string; center: string; application: string; credential: string }; body: RotateCredential; answer: IssuedCredential };
  "GET /api/v1/identity/tenants/{tenant}/environments": { path: { tenant: string }; query: { after?: string; limit?: number; words?: string }; answer: EnvironmentPage };
  "POST /api/v1/identity/tenants/{tenant}/environments": { path: { tenant: string }; body: NewEnvironment; answer: Environment };
  "PATCH /api/v1/identity/tenants/{tenant}/environments/{environment}": { path: { tenant: string; environment: string }; body: EnvironmentChange; answer: Environment };
  "DELETE /api/v1/identity/tenants/{tenant}/environments/{environment}": { path: { tenant: string; environment: string }; answer: void };
  "GET /api/v1/identity/tenants/{tenant}/grants": { path: { tenant: string }; query: { user?: string; role?: string; place?: string; level?: "" | "platform" | "tenant" | "environment" | "center" | "application"; state?: "" | "now" | "later" | "ending" | "over"; words?: string; after?: string; limit?: number }; answer: RoleGrantPage };
  "POST /api/v1/identity/tenants/{tenant}/grants/preview": { path: { tenant: string }; body: NewGrant; answer: GrantEffect };
  "POST /api/v1/identity/tenants/{tenant}/grants/{grant}/preview-removal": { path: { tenant: string; grant: string }; answer: GrantEffect };
  "GET /api/v1/identity/tenants/{tenant}/roles": { path: { tenant: string }; answer: RolePage };
  "POST /api/v1/identity/tenants/{tenant}/roles": { path: { tenant: string }; body: NewRole; answer: Role };
  "PATCH /api/v1/identity/tenants/{tenant}/roles/{role}": { path: { tenant: string; role: string }; body: RoleChange; answer: Role };
  "DELETE /api/v1/identity/tenants/{tenant}/roles/{role}": { path: { tenant: string; role: string }; answer: void };
  "GET /api/v1/identity/tenants/{tenant}/users": { path: { tenant: string }; query: { after?: string; limit?: number; words?: string; sort?: string }; answer: UserPage };
  "POST /api/v1/identity/tenants/{tenant}/users": { path: { tenant: string }; body: NewUser; answer: User };
  "GET /api/v1/identity/tenants/{tenant}/users/{user}": { path: { tenant: string; user: string }; answer: User };
  "PATCH /api/v1/identity/tenants/{tenant}/users/{user}": { path: { tenant: string; user: string }; body: UserChange; answer: User };
  "DELETE /api/v1/identity/tenants/{tenant}/users/{user}": { path: { tenant: string; user: string }; answer: void };
  "POST /api/v1/identity/tenants/{tenant}/users/{user}/explain": { path: { tenant: string; user: string }; body: AccessQuestion; answer: AccessAnswer };
  "POST /api/v1/identity/token": { body: kernel_protocol_TokenRequest; answer: kernel_protocol_Token };
  "GET /api/v1/identity/tokens": { answer: AccessTokenPage };
  "POST /api/v1/identity/tokens": { body: NewAccessToken; answer: IssuedAccessToken };
  "DELETE /api/v1/identity/tokens/{token}": { path: { token: string }; answer: void };
  "GET /api/v1/identity/users": { query: { after?: string; limit?: number; words?: string; sort?: string }; answer: UserPage };
  "POST /api/v1/identity/users": { body: NewUser; answer: User };
  "GET /api/v1/identity/users/{user}": { path: { user: string }; answer: User };
  "PATCH /api/v1/identity/users/{user}": { path: { user: string }; body: UserChange; answer: User };
  "DELETE /api/v1/identity/users/{user}": { path: { user: string }; answer: void };
  "POST /api/v1/identity/users/{user}/explain": { path: { user: string }; body: AccessQuestion; answer: AccessAnswer };
  "GET /api/v1/kinds": { answer: KindInfo[] };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/check": { path: { tenant: string; environment: string; center: string; application: string }; answer: CheckResult };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/clusters": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/clusters/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/clusters/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/clusters/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/clusters/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/clusters/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/convergence": { path: { tenant: string; environment: string; center: string; application: string }; answer: Convergence };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letter-causes": { path: { tenant: string; environment: string; center: string; application: string }; query: { topic?: string; group?: string; cause?: string; words?: string; after?: string; limit?: number }; answer: DeadCauseViewPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letter-history": { path: { tenant: string; environment: string; center: string; application: string }; query: { topic?: string; group?: string; cause?: string; words?: string; after?: string; limit?: number }; answer: DeadActionViewPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letter-history/{number}": { path: { tenant: string; environment: string; center: string; application: string; number: number }; answer: DeadActionDetail };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letter-history/{number}/messages": { path: { tenant: string; environment: string; center: string; application: string; number: number }; answer: DeadActionMessages };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letters": { path: { tenant: string; environment: string; center: string; application: string }; query: { topic?: string; group?: string; cause?: string; words?: string; after?: string; limit?: number }; answer: DeadLetterViewPage };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letters/delete": { path: { tenant: string; environment: string; center: string; application: string }; body: DeleteCommand; answer: DeadOutcomeView[] };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letters/resend": { path: { tenant: string; environment: string; center: string; application: string }; body: ResendManyCommand; answer: DeadOutcomeView[] };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letters/{number}": { path: { tenant: string; environment: string; center: string; application: string; number: number }; answer: DeadLetterDetail };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letters/{number}/message": { path: { tenant: string; environment: string; center: string; application: string; number: number }; answer: MessageView };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/dead-letters/{number}/resend": { path: { tenant: string; environment: string; center: string; application: string; number: number }; body: ResendCommand; answer: Resent };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/drafts": { path: { tenant: string; environment: string; center: string; application: string }; answer: Difference };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; answer: GrayStatus | null };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayChangeCommand; answer: PublishOutcome };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/gray/abort": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: Release };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/gray/preview": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayRule; answer: GrayPreview };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/gray/promote": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: PublishOutcome };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/instances": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number; words?: string; state?: "" | "current" | "failed" | "behind" }; answer: InstanceStatusPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/keys": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/keys/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/keys/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/keys/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/keys/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/keys/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/policies": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/policies/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/policies/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/policies/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/policies/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/policies/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: number; limit?: number }; answer: ReleasePage };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; body: PublishCommand; answer: PublishOutcome };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/releases/{revision}": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; answer: ReleaseDetail };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/releases/{revision}/changes": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; query: { since?: number | null }; answer: PendingChange[] };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/requests": { path: { tenant: string; environment: string; center: string; application: string }; query: { decided?: boolean; limit?: number }; answer: PublishRequest[] };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/requests/{request_id}/approve": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/requests/{request_id}/cancel": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/requests/{request_id}/reject": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/messaging/{tenant}/{environment}/{center}/{application}/rollback": { path: { tenant: string; environment: string; center: string; application: string }; body: RollbackCommand; answer: Release };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/sources": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/sources/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/sources/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/sources/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/sources/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/sources/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/status": { path: { tenant: string; environment: string; center: string; application: string }; answer: BundleStatus };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/subscriptions": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/subscriptions/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/subscriptions/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/subscriptions/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/subscriptions/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/subscriptions/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/topics": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/topics/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/messaging/{tenant}/{environment}/{center}/{application}/topics/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/topics/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/messaging/{tenant}/{environment}/{center}/{application}/topics/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/messaging/{tenant}/{environment}/{center}/{application}/topics/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/platform/nodes": { answer: ServerNode[] };
  "GET /api/v1/platform/settings": { answer: Setting[] };
  "POST /api/v1/registry/close": { body: OfSession; answer: void };
  "POST /api/v1/registry/definitions": { body: AskDefinitions; answer: Definitions };
  "POST /api/v1/registry/deregister": { body: Deregister; answer: void };
  "POST /api/v1/registry/publish": { body: Publish; answer: void };
  "POST /api/v1/registry/register": { body: Register; answer: Registered };
  "POST /api/v1/registry/renew": { body: OfSession; answer: void };
  "POST /api/v1/registry/sessions": { answer: Opened };
  "POST /api/v1/registry/vote": { body: Cast; answer: void };
  "POST /api/v1/registry/votes": { body: AskVotes; answer: Votes };
  "GET /api/v1/registry/{tenant}/{environment}/microservices": { path: { tenant: string; environment: string }; query: { after?: string; limit?: number; words?: string }; answer: MicroserviceViewPage };
  "GET /api/v1/registry/{tenant}/{environment}/{center}/{application}/definitions": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: DefinitionViewPage };
  "GET /api/v1/registry/{tenant}/{environment}/{center}/{application}/definitions/{service}": { path: { tenant: string; environment: string; center: string; application: string; service: string }; answer: DefinitionDetail };
  "GET /api/v1/registry/{tenant}/{environment}/{center}/{application}/nodes": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: NodeViewPage };
  "GET /api/v1/registry/{tenant}/{environment}/{center}/{application}/nodes/{node}": { path: { tenant: string; environment: string; center: string; application: string; node: string }; answer: NodeDetail };
  "PATCH /api/v1/registry/{tenant}/{environment}/{center}/{application}/nodes/{node}": { path: { tenant: string; environment: string; center: string; application: string; node: string }; body: NodeChange; answer: NodeDetail };
  "GET /api/v1/rpc/keys": { answer: PublicKeys };
  "POST /api/v1/rpc/tokens": { body: rpc_model_kinds_TokenRequest; answer: rpc_model_kinds_Token };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/check": { path: { tenant: string; environment: string; center: string; application: string }; answer: CheckResult };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/convergence": { path: { tenant: string; environment: string; center: string; application: string }; answer: Convergence };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/drafts": { path: { tenant: string; environment: string; center: string; application: string }; answer: Difference };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; answer: GrayStatus | null };
  "PUT /api/v1/rpc/{tenant}/{environment}/{center}/{application}/gray": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayChangeCommand; answer: PublishOutcome };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/gray/abort": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: Release };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/gray/preview": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayRule; answer: GrayPreview };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/gray/promote": { path: { tenant: string; environment: string; center: string; application: string }; body: GrayEndCommand; answer: PublishOutcome };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/instances": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number; words?: string; state?: "" | "current" | "failed" | "behind" }; answer: InstanceStatusPage };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: number; limit?: number }; answer: ReleasePage };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/releases": { path: { tenant: string; environment: string; center: string; application: string }; body: PublishCommand; answer: PublishOutcome };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/releases/{revision}": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; answer: ReleaseDetail };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/releases/{revision}/changes": { path: { tenant: string; environment: string; center: string; application: string; revision: number }; query: { since?: number | null }; answer: PendingChange[] };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/requests": { path: { tenant: string; environment: string; center: string; application: string }; query: { decided?: boolean; limit?: number }; answer: PublishRequest[] };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/requests/{request_id}/approve": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/requests/{request_id}/cancel": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/requests/{request_id}/reject": { path: { tenant: string; environment: string; center: string; application: string; request_id: string }; body: DecisionCommand; answer: PublishRequest };
  "POST /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rollback": { path: { tenant: string; environment: string; center: string; application: string }; body: RollbackCommand; answer: Release };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/routes": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/routes/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/rpc/{tenant}/{environment}/{center}/{application}/routes/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/rpc/{tenant}/{environment}/{center}/{application}/routes/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/rpc/{tenant}/{environment}/{center}/{application}/routes/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/routes/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rules": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rules/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rules/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rules/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rules/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/rules/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/sources": { path: { tenant: string; environment: string; center: string; application: string }; query: { after?: string; limit?: number }; answer: ResourceSummaryPage };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/sources/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; answer: ResourceDetail };
  "PUT /api/v1/rpc/{tenant}/{environment}/{center}/{application}/sources/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; body: DraftCommand; answer: ResourceDetail };
  "DELETE /api/v1/rpc/{tenant}/{environment}/{center}/{application}/sources/{name}": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "DELETE /api/v1/rpc/{tenant}/{environment}/{center}/{application}/sources/{name}/draft": { path: { tenant: string; environment: string; center: string; application: string; name: string }; header: { "If-Match"?: string | null }; answer: void };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/sources/{name}/revealed": { path: { tenant: string; environment: string; center: string; application: string; name: string }; query: { draft?: boolean }; answer: Record<string, unknown> };
  "GET /api/v1/rpc/{tenant}/{environment}/{center}/{application}/status": { path: { tenant: string; environment: string; center: string; application: string }; answer: BundleStatus };
  "GET /api/v1/search/{tenant}": { path: { tenant: string }; query: { words: string; limit?: number }; answer: Hit[] };
  "POST /api/v1/watch/acknowledge": { body: Acknowledgement; answer: void };
  "POST /api/v1/watch/fetch": { body: FetchRequest; answer: Record<string, unknown> };
  "GET /api/v1/work/{tenant}": { path: { tenant: string }; query: { environment?: string; limit?: number }; answer: Work };
  "GET /healthz": { answer: Live };
  "GET /metrics": { answer: string };
  "GET /readyz": { answer: Readiness };
}
