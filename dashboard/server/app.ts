import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { MOST_SAMPLES, SAMPLE_ORDERS } from '../../contracts/dashboard.ts';
import { errorReport } from '../../contracts/error-text.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { isLostConnection } from '../../services/lost-connection.ts';
import type { Answers } from '../data/answers.ts';
import { livePage, type Pages } from '../pages-bundle.ts';
import { guard } from './guard.ts';
import { streamNews } from './live-stream.ts';
import type { LiveUpdates } from './live-updates.ts';

export interface AppParts {
  readonly answers: Answers;
  readonly updates: LiveUpdates;
  /** The pages' script and style, made at the first request. */
  readonly pages: () => Promise<Pages>;
}

/** Samples of an answer where no number is asked for. */
const USUAL_SAMPLES = 200;

/** The dashboard over HTTP: the pages at `/`, what they ask for below `/api`. */
export function dashboardApp({ answers, updates, pages }: AppParts): Hono {
  const app = new Hono();
  app.use(guard());
  app.get('/', (c) => c.html(livePage()));
  app.get('/app.js', async (c) =>
    c.body((await pages()).script, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }),
  );
  app.get('/app.css', async (c) =>
    c.body((await pages()).style, 200, { 'Content-Type': 'text/css; charset=utf-8' }),
  );

  const api = new Hono();
  api.get('/runs', async (c) => c.json(await answers.runs()));
  api.get('/runs/:run', async (c) => c.json(await answers.run(c.req.param('run'))));
  api.get('/runs/:run/steps', async (c) =>
    c.json(await answers.steps(c.req.param('run'), natural(c.req.query('after') ?? '0'))),
  );
  api.get('/runs/:run/samples', async (c) => {
    const order = SAMPLE_ORDERS.find((known) => known === (c.req.query('order') ?? 'importance'));
    if (order === undefined) throw unreadable('order');
    const limit = natural(c.req.query('limit') ?? String(USUAL_SAMPLES));
    return c.json(await answers.samples(c.req.param('run'), order, Math.min(limit, MOST_SAMPLES)));
  });
  api.get('/runs/:run/samples/:sample', async (c) =>
    c.json(await answers.sample(c.req.param('run'), c.req.param('sample'))),
  );
  api.get('/runs/:run/steps/:step/groups', async (c) =>
    c.json(await answers.groups(c.req.param('run'), natural(c.req.param('step')))),
  );
  api.get('/runs/:run/steps/:step/groups/:rank', async (c) => {
    const { run, step, rank } = c.req.param();
    return c.json(await answers.group(run, natural(step), natural(rank)));
  });
  api.get('/live', (c) => streamNews(c, updates));
  app.route('/api', api);

  app.notFound((c) => c.json({ problem: 'There is nothing here.' }, 404));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json({ problem: error.message }, error.status);
    if (error instanceof ToolsampleError && !error.retryable)
      return c.json({ problem: error.message }, error.code === 'not-found' ? 404 : 422);
    return isLostConnection(error)
      ? c.json({ problem: 'Postgres does not answer; `toolsample up` starts it.' }, 503)
      : c.json({ problem: errorReport(error).message }, 500);
  });
  return app;
}

function natural(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw unreadable('number');
  return Number(text);
}

function unreadable(what: string): HTTPException {
  return new HTTPException(400, { message: `That is no ${what}.` });
}
