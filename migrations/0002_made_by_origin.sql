-- What the CRM has of ours is compared with the ledger by its origin id (`reconcile`).
CREATE INDEX made_by_origin ON made (origin_id);
