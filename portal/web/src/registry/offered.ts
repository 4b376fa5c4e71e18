import type { DefinitionView, OfferView } from "../api";

/** A service of a microservice: as its programs tell it, and as the catalog publishes it; one of them at least. */
export interface Service {
  name: string;
  told: DefinitionView | undefined;
  offer: OfferView | undefined;
}

/** Give every service that either knows, in order of name. */
export function joined(told: DefinitionView[], offers: OfferView[]): Service[] {
  const known = new Map<string, Service>();
  for (const one of told) known.set(one.service, { name: one.service, told: one, offer: undefined });
  for (const offer of offers) known.set(offer.service, { name: offer.service, told: known.get(offer.service)?.told, offer });
  return [...known.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}
