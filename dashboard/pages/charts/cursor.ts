import { createContext } from 'preact';

/** Where the reader points, shared by all pictures that have the same x: a value of x, or null. */
export interface Cursor {
  readonly x: number | null;
  readonly move: (x: number | null) => void;
}

export const CursorContext = createContext<Cursor>({ x: null, move: () => undefined });
