import { expect, test } from "vitest";
import type { DefinitionView, OfferView } from "../api";
import { joined } from "./offered";

const told = (service: string): DefinitionView => ({ service, digest: "a".repeat(64), size: 1, published_at: 1 });
const offer = (service: string): OfferView => ({ environment: "dev", center: "trade", application: "order", service, state: "online", version: "1", group: "default", digest: "", access: "open", methods: 1, subscribers: [], consumers: [], revision: 1, description: "" });

test("what programs tell and what the catalog publishes stand in one row each", () => {
  const rows = joined([told("b.Both"), told("c.Told")], [offer("b.Both"), offer("a.Offered")]);
  expect(rows.map((row) => [row.name, row.told !== undefined, row.offer !== undefined])).toEqual([
    ["a.Offered", false, true],
    ["b.Both", true, true],
    ["c.Told", true, false],
  ]);
});
