import type { ConfigDifference, ConfigGroup } from '../../model/config-groups.ts';
import { CsvButton } from '../parts.tsx';

/** The settings that are not the same everywhere. */
export function Differences(props: {
  readonly groups: readonly ConfigGroup[];
  readonly differences: readonly ConfigDifference[];
}) {
  const { groups, differences } = props;
  return (
    <>
      <div class="details-head">
        <CsvButton
          name="compare-differences"
          of="What differs"
          rows={() =>
            differences.map(({ key, values }) => ({
              key,
              ...Object.fromEntries(groups.map(({ runs }, i) => [runs.join(' '), values[i]])),
            }))
          }
        />
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>setting</th>
              {groups.map(({ runs }) => (
                <th key={runs[0]}>
                  {runs[0]}
                  {runs.length > 1 ? ` and ${runs.length - 1} more` : ''}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {differences.map(({ key, values }) => (
              <tr key={key}>
                <td>
                  <code>{key}</code>
                </td>
                {values.map((value, index) => (
                  <td key={groups[index]?.runs[0]}>
                    <code>{value === '' ? '–' : value}</code>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
