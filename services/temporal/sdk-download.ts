import { TestWorkflowEnvironment } from '@temporalio/testing';

/**
 * Run as a process: lets the SDK download the Temporal CLI into the folder named by the first argument.
 * The SDK only downloads to start a server, which is stopped at once.
 */
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('which folder?');
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: folder, ttl: '365 days' } },
});
await environment.teardown();
