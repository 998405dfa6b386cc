import { hrefOf } from '../../model/route.ts';

/** Chooses a step: one before, one after, or any. */
export function StepPicker(props: {
  readonly run: string;
  readonly step: number;
  /** Those that can be chosen, ascending. */
  readonly steps: readonly number[];
}) {
  const { run, step, steps } = props;
  const before = steps.findLast((each) => each < step);
  const after = steps.find((each) => each > step);
  const go = (chosen: number): void => {
    window.location.hash = hrefOf({ page: 'rollouts', run, step: chosen, rank: null });
  };
  return (
    <span class="tools step-picker">
      <button
        type="button"
        class="button"
        disabled={before === undefined}
        aria-label="step before"
        onClick={() => {
          if (before !== undefined) go(before);
        }}
      >
        ←
      </button>
      <label>
        step{' '}
        <select
          value={String(step)}
          onChange={(event) => {
            go(Number(event.currentTarget.value));
          }}
        >
          {(steps.includes(step) ? steps : [...steps, step]).map((each) => (
            <option key={each} value={String(each)}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="button"
        disabled={after === undefined}
        aria-label="step after"
        onClick={() => {
          if (after !== undefined) go(after);
        }}
      >
        →
      </button>
    </span>
  );
}
