import { createContext, useContext, useMemo } from "react";
import { call, send, topics, useRead, type Arguments, type Operation, type ReadOptions } from "../api";
import { flagsOf, useMay, useProtected, type Scope } from "../shell";

const PLACE = "/{tenant}/{environment}/{center}/{application}";

/** Where a page of the one life is: an application's resources of one capability. Every capability with kinds has the same routes. */
export interface Life {
  scope: Scope;
  capability: string;
  /** The kind whose permissions the bundle as a whole needs: the first of the capability. */
  kind: string;
  topics: string[];
  protected_: boolean;
  /** Where the pages below stand. */
  to: (...rest: string[]) => string;
  /** Where the instances are listed. */
  instances: string;
  /** Where one resource is edited. */
  toResource: (kind: string, name: string, key?: string) => string;
  /** The line on the command line for a verb; nothing where the capability has none. */
  cli: (verb: string, rest?: string) => string | undefined;
  may: (verb: string) => boolean;
  permission: (verb: string) => string;
  operation: (method: string, rest: string) => Operation;
  /** The route of one resource of a kind, as `/namespaces/{name}`. */
  pathOf: (kind: string) => string;
  /** A body as lines, for comparing; its secrets are marks already. */
  textOf: (kind: string, body: unknown) => string;
}

const asJson = (_kind: string, body: unknown): string => (body === null || body === undefined ? "" : `${JSON.stringify(body, null, 2)}\n`);

export function useLifeOf(scope: Scope, capability: string, kind: string, to: Life["to"], toResource: Life["toResource"], own: { cli?: boolean; textOf?: Life["textOf"]; plurals?: Record<string, string>; instances?: string } = {}): Life {
  const { cli = false, textOf = asJson, plurals = {}, instances = to("instances") } = own;
  const may = useMay();
  const protects = useProtected();
  const protected_ = protects(scope.environment);
  return useMemo(
    () => ({
      scope,
      capability,
      kind,
      protected_,
      to,
      toResource,
      textOf,
      instances,
      pathOf: (one: string) => `/${plurals[one] ?? `${one}s`}/{name}`,
      topics: [topics.bundle(scope, capability)],
      cli: (verb: string, rest = "") => (cli ? `qiantang ${capability} ${verb} ${flagsOf(scope)}${rest ? ` ${rest}` : ""}` : undefined),
      permission: (verb: string) => `${capability}.${kind}:${verb}`,
      may: (verb: string) => may(`${capability}.${kind}:${verb}`, scope),
      operation: (method: string, rest: string) => `${method} /api/v1/${capability}${PLACE}${rest}` as Operation,
    }),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what these close over changes with the scope
    [scope, capability, kind, protected_, cli],
  );
}

const LifeContext = createContext<Life | null>(null);
export const LifeProvider = LifeContext.Provider;

export function useLife(): Life {
  const life = useContext(LifeContext);
  if (!life) throw new Error("this page is shown outside of a life");
  return life;
}

export interface Asked {
  path?: Record<string, string | number>;
  query?: Record<string, unknown>;
  body?: unknown;
  version?: string;
}

export const argumentsOf = (life: Life, asked: Asked = {}): Arguments<Operation> =>
  ({ ...asked, path: { ...life.scope, ...asked.path } }) as unknown as Arguments<Operation>;

/** Read of this bundle; `T` is what the route answers. */
export function useLifeRead<T>(rest: string, asked: Asked = {}, options: ReadOptions & { method?: string } = {}) {
  const life = useLife();
  const { method = "GET", ...others } = options;
  const found = useRead(life.operation(method, rest), argumentsOf(life, asked), { topics: life.topics, ...others });
  return { ...found, data: found.data as T | undefined };
}

export const lifeCall = <T>(life: Life, method: string, rest: string, asked: Asked = {}): Promise<T> => call(life.operation(method, rest), argumentsOf(life, asked)) as unknown as Promise<T>;

export const lifeSend = <T>(life: Life, method: string, rest: string, asked: Asked = {}): Promise<{ data: T; version: string }> =>
  send(life.operation(method, rest), argumentsOf(life, asked)) as unknown as Promise<{ data: T; version: string }>;
