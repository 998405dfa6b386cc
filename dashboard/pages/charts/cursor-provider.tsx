import type { ComponentChildren } from 'preact';
import { useCallback, useMemo, useState } from 'preact/hooks';
import { CursorContext } from './cursor.ts';

/** Pictures inside share one cursor: pointing at a step in one shows that step in all. */
export function CursorProvider({ children }: { readonly children: ComponentChildren }) {
  const [x, setX] = useState<number | null>(null);
  const move = useCallback((next: number | null) => {
    setX(next);
  }, []);
  const cursor = useMemo(() => ({ x, move }), [x, move]);
  return <CursorContext.Provider value={cursor}>{children}</CursorContext.Provider>;
}
