/** Gives a request up when nothing has come for a while. */
export interface SilenceLimit {
  /** Aborted by the caller's signal, or with a `TimeoutError`. */
  readonly signal: AbortSignal;
  /** Something has come: the time begins anew. */
  readonly heard: () => void;
  /** To be called at the end. */
  readonly end: () => void;
}

/**
 * (`AbortSignal.any` holds what it is made of weakly: an `AbortSignal.timeout` within it is collected, and never fires. The timer here holds
 * its controller.)
 */
export function silenceLimit(caller: AbortSignal, milliseconds: number): SilenceLimit {
  const silent = new AbortController();
  const timer = setTimeout(() => {
    const reason = `nothing has come for ${milliseconds / 1000} s`;
    silent.abort(new DOMException(reason, 'TimeoutError'));
  }, milliseconds);
  return {
    signal: AbortSignal.any([caller, silent.signal]),
    heard: () => timer.refresh(),
    end: () => {
      clearTimeout(timer);
    },
  };
}
