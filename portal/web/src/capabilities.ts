import { pages as applications } from "./applications/pages";
import { pages as audit } from "./audit/pages";
import { pages as config } from "./config/pages";
import { pages as deadletters } from "./deadletters/pages";
import { pages as home } from "./home/pages";
import { pages as identity } from "./identity/pages";
import { pages as life } from "./life/pages";
import { pages as platform } from "./platform/pages";
import { pages as registry } from "./registry/pages";
import { pages as resources } from "./resources/pages";
import type { CapabilityPages } from "./shell";

/** Every capability that has pages, in the order of the rail. */
export const capabilities: CapabilityPages[] = [home, applications, config, life, registry, resources, deadletters, identity, audit, platform];
