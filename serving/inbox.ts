/** Hands what one side puts in to the other, in order. */
export interface Inbox<T> extends AsyncIterable<T> {
  readonly put: (item: T) => void;
  /** Whoever reads gets the error once all before it is read. */
  readonly fail: (error: unknown) => void;
}

/** An inbox for one reader. */
export function createInbox<T>(): Inbox<T> {
  const items: T[] = [];
  let failure: { readonly error: unknown } | null = null;
  let wake: (() => void) | null = null;
  return {
    put: (item) => {
      items.push(item);
      wake?.();
    },
    fail: (error) => {
      failure ??= { error };
      wake?.();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const [item] = items;
        if (item !== undefined) {
          items.shift();
          yield item;
          continue;
        }
        if (failure !== null) throw failure.error;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
