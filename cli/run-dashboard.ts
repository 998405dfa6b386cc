import type { ToolsampleClient } from '../client.ts';
import type { Dashboard } from '../dashboard/server/serve.ts';

/** The dashboard beside a run that is followed. */
export interface RunDashboard {
  /** Where the run's own page is. */
  readonly address: string;
  close(): Promise<void>;
}

/** Serves the dashboard while a run is followed; null where it cannot be: a run never fails because of it. */
export async function serveBeside(
  { services }: Pick<ToolsampleClient, 'services'>,
  run: string,
): Promise<RunDashboard | null> {
  let dashboard: Dashboard;
  try {
    // Loaded only now, so that nothing of it is needed to train.
    const { serveDashboard } = await import('../dashboard/server/serve.ts');
    const { databaseUrl, folder } = services;
    dashboard = await serveDashboard({ databaseUrl, folderId: folder.id });
  } catch {
    return null;
  }
  return {
    address: `${dashboard.address}#/runs/${encodeURIComponent(run)}`,
    close: async () => dashboard.close().catch(() => undefined),
  };
}
