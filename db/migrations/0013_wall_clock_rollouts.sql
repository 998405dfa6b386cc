-- It was the sum over shards, also where several workers sampled them side by side.
UPDATE "steps" SET "rollout_seconds" = "busy"."seconds"
FROM (
  SELECT "run", "step", sum(extract(epoch FROM upper("span") - lower("span"))) AS "seconds"
  FROM (
    SELECT "run", "step", unnest(range_agg(tstzrange("committed_at" - "generation_seconds" * interval '1 second', "committed_at"))) AS "span"
    FROM "rollout_shards" GROUP BY "run", "step"
  ) AS "spans"
  GROUP BY "run", "step"
) AS "busy"
WHERE "steps"."run" = "busy"."run" AND "steps"."step" = "busy"."step" AND "steps"."rollout_seconds" IS NOT NULL;
