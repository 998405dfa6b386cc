import { stateText } from '../../../contracts/run-status.ts';
import { firstSplit, tokensAfter, type ComparedRun } from '../../model/compare-metrics.ts';
import type { ConfigGroup } from '../../model/config-groups.ts';
import { extent } from '../../model/extent.ts';
import { brief, fixed, percent } from '../../model/number-text.ts';
import { meanAt, type BandPoint } from '../../model/seed-bands.ts';
import { CsvButton } from '../parts.tsx';
import { hrefOf } from '../../model/route.ts';

/** Where each configuration ended, and each further run of a seed. */
export function GroupTable(props: {
  readonly runs: readonly ComparedRun[];
  readonly groups: readonly ConfigGroup[];
}) {
  const rows = props.groups.map((group) => {
    const runs = props.runs.filter(({ detail }) => group.runs.includes(detail.overview.run));
    const last = runs.flatMap(({ detail }) => firstSplit(detail).at(-1) ?? []);
    return {
      group,
      runs,
      tokens: meanAt(
        0,
        runs.map(({ steps }) => extent(tokensAfter(steps).values())[1]),
      ),
      exactMatch: meanAt(
        0,
        last.map(({ exactMatch }) => exactMatch),
      ),
      reward: meanAt(
        0,
        last.map(({ reward }) => reward),
      ),
    };
  });
  return (
    <>
      <div class="details-head">
        <CsvButton
          name="compare-ends"
          of="Where they ended"
          rows={() =>
            rows.map(({ group, tokens, exactMatch, reward }) => ({
              configuration: group.label,
              seeds: group.independent ? group.runs.length : null,
              runs: group.runs.join(' '),
              tokens: tokens.y,
              exact_match: exactMatch.y,
              exact_match_low: exactMatch.low,
              exact_match_high: exactMatch.high,
              reward: reward.y,
              reward_low: reward.low,
              reward_high: reward.high,
            }))
          }
        />
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>configuration</th>
              <th class="number">seeds</th>
              <th class="number">tokens</th>
              <th class="number">exact match</th>
              <th class="number">reward</th>
              <th>runs</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ group, runs, tokens, exactMatch, reward }) => (
              <tr key={group.label}>
                <td>{group.label}</td>
                <td class="number">{group.independent ? group.runs.length : '–'}</td>
                <td class="number">{brief(tokens.y)}</td>
                <td class="number">
                  {withInterval(exactMatch, (y) => percent(Math.min(1, Math.max(0, y))))}
                </td>
                <td class="number">{withInterval(reward, (y) => fixed(y, 2))}</td>
                <td>
                  {runs.map(({ detail: { overview } }, index) => (
                    <span key={overview.run}>
                      {index > 0 ? ', ' : ''}
                      <a href={hrefOf({ page: 'run', run: overview.run })}>{overview.run}</a>
                      {overview.state === 'completed' ? '' : ` (${stateText(overview)})`}
                    </span>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function withInterval({ y, low, high, n }: BandPoint, text: (y: number) => string) {
  if (n === 0) return '–';
  return low === null || high === null ? (
    text(y)
  ) : (
    <>
      {text(y)}{' '}
      <span class="muted">
        [{text(low)}, {text(high)}]
      </span>
    </>
  );
}
