/** The operations on people, each for a tenant and for the platform as a whole. */
export const USERS = (tenant: string) => (tenant ? "GET /api/v1/identity/tenants/{tenant}/users" : "GET /api/v1/identity/users");
export const NEW_USER = (tenant: string) => (tenant ? "POST /api/v1/identity/tenants/{tenant}/users" : "POST /api/v1/identity/users");
export const USER = (tenant: string) => (tenant ? "GET /api/v1/identity/tenants/{tenant}/users/{user}" : "GET /api/v1/identity/users/{user}");
export const CHANGE_USER = (tenant: string) => (tenant ? "PATCH /api/v1/identity/tenants/{tenant}/users/{user}" : "PATCH /api/v1/identity/users/{user}");
export const DELETE_USER = (tenant: string) => (tenant ? "DELETE /api/v1/identity/tenants/{tenant}/users/{user}" : "DELETE /api/v1/identity/users/{user}");
export const EXPLAIN = (tenant: string) => (tenant ? "POST /api/v1/identity/tenants/{tenant}/users/{user}/explain" : "POST /api/v1/identity/users/{user}/explain");
export const GRANTS = (tenant: string) => (tenant ? "GET /api/v1/identity/tenants/{tenant}/grants" : "GET /api/v1/identity/grants");
export const ROLES = (tenant: string) => (tenant ? "GET /api/v1/identity/tenants/{tenant}/roles" : "GET /api/v1/identity/roles");

/** What is said of a list that may go on: 500, or "500+". */
export const counted = (page: { items: unknown[]; next: string } | undefined): string => (page ? `${page.items.length}${page.next ? "+" : ""}` : "—");
