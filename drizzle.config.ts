import { defineConfig } from 'drizzle-kit';

/** For `npx drizzle-kit generate`: writes the next migration from the schema. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './db/schema/*.ts',
  out: './db/migrations',
});
