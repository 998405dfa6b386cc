import type { RunOverview } from '../../../contracts/dashboard.ts';
import { percent } from '../../model/number-text.ts';
import { StateChip } from '../parts.tsx';
import { hrefOf } from '../../model/route.ts';

/** Which runs are compared; the address names them, so that it can be kept. */
export function RunPicker(props: {
  readonly runs: readonly RunOverview[];
  readonly chosen: readonly string[];
}) {
  const { runs, chosen } = props;
  const toggle = (run: string): void => {
    const next = chosen.includes(run) ? chosen.filter((each) => each !== run) : [...chosen, run];
    window.location.hash = hrefOf({ page: 'compare', runs: next });
  };
  return (
    <details class="picker" open={chosen.length < 2}>
      <summary>
        {chosen.length} of {runs.length} runs chosen
      </summary>
      <ul>
        {runs.map((overview) => {
          const { run, sampler, seed, heldOut } = overview;
          return (
            <li key={run}>
              <label>
                <input
                  type="checkbox"
                  checked={chosen.includes(run)}
                  onChange={() => {
                    toggle(run);
                  }}
                />
                <span class="name">{run}</span>
                <StateChip run={overview} />
                <span class="muted">
                  {sampler}, seed {seed}
                  {heldOut === null ? '' : `, ${percent(heldOut.last)}`}
                </span>
              </label>
            </li>
          );
        })}
      </ul>
    </details>
  );
}
