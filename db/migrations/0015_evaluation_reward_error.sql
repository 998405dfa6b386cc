ALTER TABLE "evaluations" ADD COLUMN "reward_error" double precision;--> statement-breakpoint
UPDATE "evaluations" SET "reward_error" = "spread"."error"
FROM (
  SELECT "run", "step", "split", coalesce(stddev_samp("reward") / sqrt(count(*)), 0) AS "error"
  FROM "evaluation_samples" GROUP BY "run", "step", "split"
) AS "spread"
WHERE "evaluations"."run" = "spread"."run" AND "evaluations"."step" = "spread"."step" AND "evaluations"."split" = "spread"."split";
