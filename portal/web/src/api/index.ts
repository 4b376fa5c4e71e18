export * from "./client";
export * from "./read";
export type * from "./schema.gen";
export { topics } from "./stream";
