import type { RunDetail } from '../../../contracts/dashboard.ts';
import { changesText, settingsOf } from '../../model/setting-history.ts';
import { CsvButton } from '../parts.tsx';

/** Every setting of the run, those that were changed under way with their history. */
export function Configuration({ detail }: { readonly detail: RunDetail }) {
  const settings = [...settingsOf(detail.config)];
  const changes = new Map(
    settings.map(([key]) => [key, detail.settings.filter((change) => change.key === key)]),
  );
  return (
    <details class="part configuration">
      <summary>Configuration</summary>
      <div class="details-head">
        <CsvButton
          name={`${detail.overview.run}-configuration`}
          of="Configuration"
          rows={() =>
            settings.map(([key, value]) => ({
              key,
              value,
              changes: changesText(changes.get(key) ?? []),
            }))
          }
        />
      </div>
      <table>
        <tbody>
          {settings.map(([key, value]) => (
            <tr key={key}>
              <td>
                <code>{key}</code>
              </td>
              <td>
                <code>{value}</code>
                {changes.get(key)?.map(({ to, fromStep }) => (
                  <span key={fromStep}>
                    {' '}
                    → <code>{JSON.stringify(to)}</code> from step {fromStep}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
