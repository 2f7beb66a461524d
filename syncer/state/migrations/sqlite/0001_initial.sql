-- The first schema. Counters are kept by triggers, so that no code path can forget them and nothing ever counts rows.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- A job that was reset keeps its row and its units: epochs at its destination must never be used twice.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    forgotten INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE legs (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    url TEXT,
    layout TEXT,
    UNIQUE (job, name)
);

CREATE TABLE units (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job, name)
);

-- pass: number of the pass that began last. tracking: 1 while its seen keys are recorded from its beginning, 0 while
-- they are not, NULL between passes. moves: counts the commits that touched the partition.
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    key TEXT NOT NULL,
    unit INTEGER NOT NULL,
    pass INTEGER NOT NULL DEFAULT 0,
    tracking INTEGER,
    moves INTEGER NOT NULL DEFAULT 0,
    released INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job, key)
);
CREATE INDEX partitions_unit ON partitions (unit);

-- One leg in one unit: where its containers stand. seq: number of its last manifest row.
CREATE TABLE leg_units (
    id INTEGER PRIMARY KEY,
    unit INTEGER NOT NULL,
    leg INTEGER NOT NULL,
    resume BLOB,
    published_resume BLOB,
    staged BLOB,
    seq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (unit, leg)
);

-- One leg in one partition. pass: the pass in which the cursor stands, 0 between passes, -1 in none that is known.
-- live, bytes, context: published rows. pending_*: what the unpublished ones add to them.
CREATE TABLE positions (
    id INTEGER PRIMARY KEY,
    leg INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    cursor TEXT,
    moved INTEGER NOT NULL DEFAULT 0,
    pass INTEGER NOT NULL DEFAULT 0,
    published_cursor TEXT,
    published_moved INTEGER NOT NULL DEFAULT 0,
    published_pass INTEGER NOT NULL DEFAULT 0,
    live INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    context INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    pending_live INTEGER NOT NULL DEFAULT 0,
    pending_bytes INTEGER NOT NULL DEFAULT 0,
    pending_context INTEGER NOT NULL DEFAULT 0,
    owed INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    UNIQUE (leg, partition)
);
CREATE INDEX positions_partition ON positions (partition);

CREATE TABLE containers (
    leg_unit INTEGER NOT NULL,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    live INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    PRIMARY KEY (leg_unit, name)
) WITHOUT ROWID;

CREATE TABLE fingerprints (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    options TEXT
);

-- Published rows. place: digest of (scope, folded path), which no two items may share.
-- Rows lie in the order of arrival, so that random keys touch two small indexes and not the rows themselves.
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    path TEXT NOT NULL,
    place INTEGER NOT NULL,
    container TEXT,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    fields TEXT,
    grp TEXT,
    withdrawn TEXT,
    UNIQUE (position, key)
);
CREATE INDEX items_place ON items (place);
CREATE INDEX items_group ON items (position, grp) WHERE grp IS NOT NULL;

-- Committed rows that are not published yet. They hide the published row of the same key.
CREATE TABLE pending (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    path TEXT NOT NULL,
    place INTEGER NOT NULL,
    container TEXT,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    fields TEXT,
    grp TEXT,
    withdrawn TEXT,
    op TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    UNIQUE (position, key)
);
CREATE INDEX pending_place ON pending (place);
CREATE INDEX pending_group ON pending (position, grp) WHERE grp IS NOT NULL;

-- settled: an unpublished row settled it. Publishing forgets it, going back to the published position wakes it up.
CREATE TABLE owed (
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first TEXT,
    next TEXT,
    hint TEXT,
    ignored_until TEXT,
    fields TEXT,
    path TEXT,
    place INTEGER,
    settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (position, key)
) WITHOUT ROWID;
CREATE INDEX owed_place ON owed (place) WHERE place IS NOT NULL;

CREATE TABLE doomed (
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    cause TEXT NOT NULL,
    reason TEXT NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (position, key)
) WITHOUT ROWID;

-- Keys that the running pass of a partition saw, one JSON array a commit: appending is all that a page costs.
CREATE TABLE seen (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    keys TEXT NOT NULL
);
CREATE INDEX seen_partition ON seen (partition);

-- Manifest rows that no segment holds yet: lines first .. first + count - 1, one chunk a commit.
CREATE TABLE outbox (
    leg_unit INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    lines BLOB NOT NULL,
    PRIMARY KEY (leg_unit, first)
);

-- Absolute places: directory prefixes end with a slash, names of archives do not.
CREATE TABLE claims (
    place TEXT NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (place, job)
) WITHOUT ROWID;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    run TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    code INTEGER,
    report TEXT,
    UNIQUE (job, run)
);

CREATE TRIGGER items_inserted AFTER INSERT ON items WHEN NEW.withdrawn IS NULL BEGIN
    UPDATE positions SET
        live = live + 1,
        bytes = bytes + NEW.size,
        context = context + (NEW.key GLOB 'context/*')
    WHERE id = NEW.position;
END;

CREATE TRIGGER items_updated AFTER UPDATE ON items BEGIN
    UPDATE positions SET
        live = live + (NEW.withdrawn IS NULL) - (OLD.withdrawn IS NULL),
        bytes = bytes + (NEW.withdrawn IS NULL) * NEW.size - (OLD.withdrawn IS NULL) * OLD.size,
        context = context + (NEW.key GLOB 'context/*') * ((NEW.withdrawn IS NULL) - (OLD.withdrawn IS NULL))
    WHERE id = NEW.position;
END;

CREATE TRIGGER items_deleted AFTER DELETE ON items WHEN OLD.withdrawn IS NULL BEGIN
    UPDATE positions SET
        live = live - 1,
        bytes = bytes - OLD.size,
        context = context - (OLD.key GLOB 'context/*')
    WHERE id = OLD.position;
END;

-- A pending row counts against the published row that it hides. Pending rows leave all at once, at a publish or a
-- rollback, which set these counters to 0: there is no trigger for deletes.
CREATE TRIGGER pending_inserted AFTER INSERT ON pending BEGIN
    UPDATE positions SET
        pending = pending + 1,
        pending_live = pending_live + (NEW.op <> 'delete' AND NEW.withdrawn IS NULL)
            - EXISTS (SELECT 1 FROM items AS i
                      WHERE i.position = NEW.position AND i.key = NEW.key AND i.withdrawn IS NULL),
        pending_bytes = pending_bytes + (NEW.op <> 'delete' AND NEW.withdrawn IS NULL) * NEW.size
            - coalesce((SELECT i.size FROM items AS i
                        WHERE i.position = NEW.position AND i.key = NEW.key AND i.withdrawn IS NULL), 0),
        pending_context = pending_context + (NEW.key GLOB 'context/*')
            * ((NEW.op <> 'delete' AND NEW.withdrawn IS NULL)
               - EXISTS (SELECT 1 FROM items AS i
                         WHERE i.position = NEW.position AND i.key = NEW.key AND i.withdrawn IS NULL))
    WHERE id = NEW.position;
END;

CREATE TRIGGER pending_updated AFTER UPDATE ON pending BEGIN
    UPDATE positions SET
        pending_live = pending_live + (NEW.op <> 'delete' AND NEW.withdrawn IS NULL)
            - (OLD.op <> 'delete' AND OLD.withdrawn IS NULL),
        pending_bytes = pending_bytes + (NEW.op <> 'delete' AND NEW.withdrawn IS NULL) * NEW.size
            - (OLD.op <> 'delete' AND OLD.withdrawn IS NULL) * OLD.size,
        pending_context = pending_context + (NEW.key GLOB 'context/*')
            * ((NEW.op <> 'delete' AND NEW.withdrawn IS NULL) - (OLD.op <> 'delete' AND OLD.withdrawn IS NULL))
    WHERE id = NEW.position;
END;

CREATE TRIGGER owed_inserted AFTER INSERT ON owed WHEN NOT NEW.settled BEGIN
    UPDATE positions SET owed = owed + 1 WHERE id = NEW.position;
END;

CREATE TRIGGER owed_updated AFTER UPDATE OF settled ON owed BEGIN
    UPDATE positions SET owed = owed + OLD.settled - NEW.settled WHERE id = NEW.position;
END;

CREATE TRIGGER owed_deleted AFTER DELETE ON owed WHEN NOT OLD.settled BEGIN
    UPDATE positions SET owed = owed - 1 WHERE id = OLD.position;
END;

CREATE TRIGGER doomed_inserted AFTER INSERT ON doomed WHEN NOT NEW.settled BEGIN
    UPDATE positions SET gone = gone + (NEW.cause = 'gone'), withdrawn = withdrawn + (NEW.cause <> 'gone')
    WHERE id = NEW.position;
END;

CREATE TRIGGER doomed_updated AFTER UPDATE ON doomed BEGIN
    UPDATE positions SET
        gone = gone + (NEW.cause = 'gone') * (NOT NEW.settled) - (OLD.cause = 'gone') * (NOT OLD.settled),
        withdrawn = withdrawn + (NEW.cause <> 'gone') * (NOT NEW.settled) - (OLD.cause <> 'gone') * (NOT OLD.settled)
    WHERE id = NEW.position;
END;

CREATE TRIGGER doomed_deleted AFTER DELETE ON doomed WHEN NOT OLD.settled BEGIN
    UPDATE positions SET gone = gone - (OLD.cause = 'gone'), withdrawn = withdrawn - (OLD.cause <> 'gone')
    WHERE id = OLD.position;
END;
