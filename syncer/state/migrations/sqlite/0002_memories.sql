-- Small notes by job, such as where its schedule stands.
CREATE TABLE memories (
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job, name)
) WITHOUT ROWID;
