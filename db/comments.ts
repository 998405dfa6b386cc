import { getTableName, getViewName, is } from 'drizzle-orm';
import { PgColumn, type PgTable, type PgView } from 'drizzle-orm/pg-core';

/** What a table or view and each of its columns mean, for people who look with SQL. */
export interface Comments {
  readonly kind: 'table' | 'view';
  readonly name: string;
  readonly comment: string;
  /** By the column's name in the database. */
  readonly columns: { readonly [column: string]: string };
}

/** Comments of a table. A column without one is a compile-time error. */
export function commentsOnTable<T extends PgTable>(
  table: T,
  comment: string,
  columns: { readonly [key in keyof T['_']['columns']]: string },
): Comments {
  return {
    kind: 'table',
    name: getTableName(table),
    comment,
    columns: byDatabaseName(table, columns),
  };
}

/** Comments of a view. A column without one is a compile-time error. */
export function commentsOnView<T extends PgView>(
  view: T,
  comment: string,
  columns: { readonly [key in keyof T['_']['selectedFields']]: string },
): Comments {
  return {
    kind: 'view',
    name: getViewName(view),
    comment,
    columns: byDatabaseName(view, columns),
  };
}

/** SQL that sets the comments; running it again changes nothing. */
export function commentStatements(comments: readonly Comments[]): string {
  return comments
    .flatMap(({ kind, name, comment, columns }) => [
      `comment on ${kind} "${name}" is ${literal(comment)};`,
      ...Object.entries(columns).map(
        ([column, text]) => `comment on column "${name}"."${column}" is ${literal(text)};`,
      ),
    ])
    .join('\n');
}

function byDatabaseName(
  source: object,
  columns: { readonly [key: string]: string },
): Comments['columns'] {
  return Object.fromEntries(
    Object.entries(columns).map(([key, text]) => {
      const column = (source as { readonly [key: string]: unknown })[key];
      return [is(column, PgColumn) ? column.name : key, text];
    }),
  );
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
