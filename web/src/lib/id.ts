let made = 0;

/** A name for something of this page only. (`crypto.randomUUID` exists on https and localhost alone.) */
export const localId = (kind: string) => `${kind}-${(made += 1)}`;
