import type { ApiError } from "../api";

const PLACE = "/api/v1/messaging/{tenant}/{environment}/{center}/{application}";

export const CAUSES = `GET ${PLACE}/dead-letter-causes` as const;
export const LETTERS = `GET ${PLACE}/dead-letters` as const;
export const LETTER = `GET ${PLACE}/dead-letters/{number}` as const;
export const MESSAGE = `GET ${PLACE}/dead-letters/{number}/message` as const;
export const RESEND = `POST ${PLACE}/dead-letters/{number}/resend` as const;
export const RESEND_MANY = `POST ${PLACE}/dead-letters/resend` as const;
export const DELETE = `POST ${PLACE}/dead-letters/delete` as const;
export const HISTORY = `GET ${PLACE}/dead-letter-history` as const;
export const ACTION = `GET ${PLACE}/dead-letter-history/{number}` as const;
export const ACTION_MESSAGES = `GET ${PLACE}/dead-letter-history/{number}/messages` as const;

/** What is read again once a letter was sent or deleted. */
export const TOUCHED = [CAUSES, LETTERS, HISTORY];

export const READ = "messaging.deadletter:read";
export const REVEAL = "messaging.deadletter:reveal";
export const EXECUTE = "messaging.deadletter:execute";
export const UPDATE = "messaging.deadletter:update";

/** At once: as many as the server takes. */
export const MOST = 100;

/** What a list is narrowed by, as the address keeps it. */
export const FILTERS = ["topic", "group", "cause", "words"] as const;

/** The application has published nothing that keeps dead letters: not a failure, but where to begin. */
export const isWithoutStore = (error: ApiError | null): boolean => error?.code === "messaging.no_dead_letter_store";
