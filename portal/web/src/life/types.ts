/** Where a bundle stands, as it is written. */
export type Position = [epoch: number, revision: number];

export const revisionOf = (position: Position | undefined | null): number => position?.[1] ?? 0;
