const PLACE = "{tenant}/{environment}/{center}/{application}";

export const MICROSERVICES = "GET /api/v1/registry/{tenant}/{environment}/microservices" as const;
export const NODES = `GET /api/v1/registry/${PLACE}/nodes` as const;
export const NODE = `GET /api/v1/registry/${PLACE}/nodes/{node}` as const;
export const CHANGE_NODE = `PATCH /api/v1/registry/${PLACE}/nodes/{node}` as const;
export const DEFINITIONS = `GET /api/v1/registry/${PLACE}/definitions` as const;
export const DEFINITION = `GET /api/v1/registry/${PLACE}/definitions/{service}` as const;
export const OFFERS = `GET /api/v1/catalog/${PLACE}/offers` as const;
export const RECEIVED = `GET /api/v1/catalog/${PLACE}/access-requests/received` as const;
export const ACCEPT = `POST /api/v1/catalog/${PLACE}/access-requests/{request_id}/accept` as const;
export const REFUSE = `POST /api/v1/catalog/${PLACE}/access-requests/{request_id}/refuse` as const;
export const STATUS = `GET /api/v1/rpc/${PLACE}/status` as const;
export const CONVERGENCE = `GET /api/v1/rpc/${PLACE}/convergence` as const;
export const RULES = `GET /api/v1/rpc/${PLACE}/rules` as const;
export const ROUTES = `GET /api/v1/rpc/${PLACE}/routes` as const;

/** What is read again once a node was changed, and once a request was answered. */
export const NODES_TOUCHED = [MICROSERVICES, NODES, NODE];
export const ACCESS_TOUCHED = [OFFERS, RECEIVED];

export const LIST_NODES = "registry.node:list";
export const READ_NODE = "registry.node:read";
export const UPDATE_NODE = "registry.node:update";
export const LIST_DEFINITIONS = "registry.definition:list";
export const READ_DEFINITION = "registry.definition:read";
export const READ_OFFERS = "catalog.service:read";
export const PUBLISH_OFFERS = "catalog.service:publish";
export const READ_ACCESS = "catalog.access:read";
export const READ_RULES = "rpc.rule:read";
export const READ_ROUTES = "rpc.route:read";

/** Nodes come and go without a topic of the stream: they are read again so often, in milliseconds, while the page is seen. */
export const OFTEN = 5_000;
