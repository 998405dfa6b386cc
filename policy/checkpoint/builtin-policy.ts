import { fileURLToPath } from 'node:url';

/** Folder of the shipped policy. */
export const BUILTIN_POLICY = fileURLToPath(new URL('../../assets/policy', import.meta.url));
