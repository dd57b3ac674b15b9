#include "reconciler/release_store.h"

#include "base/database.h"
#include "base/error.h"
#include "base/log.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

namespace kedge::reconciler {

namespace {

using Durability = Database::Durability;

const std::vector<std::string> kSchema = {R"(
CREATE TABLE reconciler_project(name TEXT PRIMARY KEY, source TEXT NOT NULL, held INTEGER NOT NULL, hold_reason TEXT NOT NULL,
    removed INTEGER NOT NULL);
CREATE TABLE reconciler_release(project TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, commit_id TEXT NOT NULL,
    ref TEXT NOT NULL, subject TEXT NOT NULL, target TEXT NOT NULL, cause TEXT NOT NULL, error TEXT NOT NULL,
    quarantined INTEGER NOT NULL, verdicts TEXT NOT NULL, created INTEGER NOT NULL, applied INTEGER NOT NULL,
    finished INTEGER NOT NULL, next_retry INTEGER, PRIMARY KEY(project, number));
CREATE TABLE reconciler_quarantine(project TEXT NOT NULL, commit_id TEXT NOT NULL, reason TEXT NOT NULL,
    meaning TEXT NOT NULL, PRIMARY KEY(project, commit_id));
CREATE TABLE reconciler_retired(project TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY(project, id));
CREATE TABLE reconciler_stopped(project TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY(project, id));
)",
                                          R"(
CREATE TABLE reconciler_pulled(project TEXT NOT NULL, name TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY(project, name));
CREATE TABLE reconciler_unreadable AS SELECT * FROM reconciler_release WHERE 0;
)"};

constexpr int kKeptRows = 200;
constexpr const char* kColumns =
    "project, number, state, commit_id, ref, subject, target, cause, error, quarantined, verdicts, created, applied, "
    "finished, next_retry";

constexpr ReleaseState kStates[] = {ReleaseState::pending,   ReleaseState::fetching,     ReleaseState::blocked,
                                    ReleaseState::held,      ReleaseState::applying,     ReleaseState::soaking,
                                    ReleaseState::good,      ReleaseState::rolling_back, ReleaseState::rolled_back,
                                    ReleaseState::superseded};

ReleaseState state_from(const std::string& text) {
    for (ReleaseState state : kStates) {
        if (to_string(state) == text) return state;
    }
    throw Error(Code::internal, "release state \"" + text + "\" is unknown");
}

int64_t to_number(WallTime time) {
    return time.time_since_epoch().count();
}
WallTime to_time(int64_t number) {
    return WallTime(Nanoseconds(number));
}

Release release_of_row(SQLite::Statement& row) {
    Release release;
    release.project = row.getColumn(0).getString();
    release.number = row.getColumn(1).getInt64();
    release.state = state_from(row.getColumn(2).getString());
    release.commit = row.getColumn(3).getString();
    release.ref = row.getColumn(4).getString();
    release.subject = row.getColumn(5).getString();
    std::string target = row.getColumn(6).getString();
    if (!target.empty()) release.target = target_from_json(target);
    release.cause = row.getColumn(7).getString();
    release.error = row.getColumn(8).getString();
    release.quarantined = row.getColumn(9).getInt() != 0;
    nlohmann::json verdicts = nlohmann::json::parse(row.getColumn(10).getString(), nullptr, false);
    if (verdicts.is_object()) {
        for (const auto& [service, verdict] : verdicts.items()) release.verdicts[service] = verdict.get<std::string>();
    }
    release.created = to_time(row.getColumn(11).getInt64());
    release.applied = to_time(row.getColumn(12).getInt64());
    release.finished = to_time(row.getColumn(13).getInt64());
    if (!row.getColumn(14).isNull()) release.next_retry = to_time(row.getColumn(14).getInt64());
    return release;
}

void write_row(SQLite::Database& db, const Release& release) {
    SQLite::Statement s(db, std::string("INSERT OR REPLACE INTO reconciler_release(") + kColumns +
                                ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    s.bind(1, release.project);
    s.bind(2, release.number);
    s.bind(3, std::string(to_string(release.state)));
    s.bind(4, release.commit);
    s.bind(5, release.ref);
    s.bind(6, release.subject);
    s.bind(7, to_json_text(release.target));
    s.bind(8, release.cause);
    s.bind(9, release.error);
    s.bind(10, release.quarantined ? 1 : 0);
    nlohmann::json verdicts = release.verdicts;
    s.bind(11, verdicts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    s.bind(12, to_number(release.created));
    s.bind(13, to_number(release.applied));
    s.bind(14, to_number(release.finished));
    if (release.next_retry) s.bind(15, to_number(*release.next_retry));
    s.exec();
}

std::vector<Release> select(const Database& database, const std::string& project, const std::string& condition) {
    std::vector<Release> result;
    database.read([&](SQLite::Database& db) {
        SQLite::Statement s(
            db, std::string("SELECT ") + kColumns + " FROM reconciler_release WHERE project = ?" + condition);
        s.bind(1, project);
        while (s.executeStep()) result.push_back(release_of_row(s));
    });
    return result;
}

std::optional<Release> first(std::vector<Release> releases) {
    if (releases.empty()) return {};
    return std::move(releases.front());
}

/// A row that can't be understood must not keep the agent from starting; people can look at it where it is put.
void set_unreadable_aside(Database& database) {
    database.transaction(Durability::power, [](SQLite::Database& db) {
        std::vector<int64_t> unreadable;
        SQLite::Statement s(db, std::string("SELECT ") + kColumns + ", rowid FROM reconciler_release");
        while (s.executeStep()) {
            try {
                (void)release_of_row(s);
            } catch (const std::exception& e) {
                log(LogLevel::error, s.getColumn(0).getString() + ": release " + s.getColumn(1).getString() +
                                         " can't be read and is set aside: " + e.what());
                unreadable.push_back(s.getColumn(15).getInt64());
            }
        }
        for (int64_t row : unreadable) {
            for (const char* sql :
                 {"INSERT INTO reconciler_unreadable SELECT * FROM reconciler_release WHERE rowid = ?",
                  "DELETE FROM reconciler_release WHERE rowid = ?"}) {
                SQLite::Statement move(db, sql);
                move.bind(1, row);
                move.exec();
            }
        }
    });
}

/// Also of a project that never gets a good release.
void delete_old_rows(SQLite::Database& db, const std::string& project) {
    SQLite::Statement s(db,
                        "DELETE FROM reconciler_release WHERE project = ?1 AND (target = '' OR state IN "
                        "('rolled_back', 'superseded')) AND "
                        "number <= (SELECT MAX(number) FROM reconciler_release WHERE project = ?1) - ?2");
    s.bind(1, project);
    s.bind(2, kKeptRows);
    s.exec();
}

/// One statement with text parameters.
void change(Database& database, const char* sql, const std::vector<std::string>& values) {
    database.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement s(db, sql);
        for (size_t i = 0; i < values.size(); ++i) s.bind(static_cast<int>(i + 1), values[i]);
        s.exec();
    });
}

std::map<std::string, std::string> pairs(const Database& database, const char* sql, const std::string& project) {
    std::map<std::string, std::string> result;
    database.read([&](SQLite::Database& db) {
        SQLite::Statement s(db, sql);
        s.bind(1, project);
        while (s.executeStep()) result[s.getColumn(0).getString()] = s.getColumn(1).getString();
    });
    return result;
}

}  // namespace

std::string_view to_string(ReleaseState state) {
    switch (state) {
        case ReleaseState::pending: return "pending";
        case ReleaseState::fetching: return "fetching";
        case ReleaseState::blocked: return "blocked";
        case ReleaseState::held: return "held";
        case ReleaseState::applying: return "applying";
        case ReleaseState::soaking: return "soaking";
        case ReleaseState::good: return "good";
        case ReleaseState::rolling_back: return "rolling_back";
        case ReleaseState::rolled_back: return "rolled_back";
        case ReleaseState::superseded: return "superseded";
    }
    return "pending";
}

ReleaseStore::ReleaseStore(Database& database) : database_(database) {
    database.migrate("reconciler", kSchema);
    set_unreadable_aside(database);
}

std::vector<ProjectRecord> ReleaseStore::projects() const {
    std::vector<ProjectRecord> result;
    database_.read([&](SQLite::Database& db) {
        SQLite::Statement s(db,
                            "SELECT name, source, held, hold_reason, removed FROM reconciler_project ORDER BY name");
        while (s.executeStep()) {
            result.push_back({s.getColumn(0).getString(), s.getColumn(1).getString(), s.getColumn(2).getInt() != 0,
                              s.getColumn(3).getString(), s.getColumn(4).getInt() != 0});
        }
    });
    return result;
}

void ReleaseStore::put_project(const ProjectRecord& record) {
    change(database_,
           "INSERT OR REPLACE INTO reconciler_project(name, source, held, hold_reason, removed) VALUES(?, ?, CAST(? AS "
           "INTEGER), ?, CAST(? AS INTEGER))",
           {record.project, record.source, record.held ? "1" : "0", record.hold_reason, record.removed ? "1" : "0"});
}

std::vector<Release> ReleaseStore::history(const std::string& project) const {
    return select(database_, project, " ORDER BY number DESC");
}

std::optional<Release> ReleaseStore::find(const std::string& project, int64_t number) const {
    return first(select(database_, project, " AND number = " + std::to_string(number)));
}

std::optional<Release> ReleaseStore::newest(const std::string& project) const {
    return first(select(database_, project, " ORDER BY number DESC LIMIT 1"));
}

std::optional<Release> ReleaseStore::last_good(const std::string& project) const {
    return first(select(database_, project, " AND state = 'good' ORDER BY number DESC LIMIT 1"));
}

void ReleaseStore::add(Release& release) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement s(
            db,
            "SELECT COALESCE(MAX(number), 0) + 1 FROM (SELECT number FROM reconciler_release WHERE project = ?1 "
            "UNION ALL SELECT number FROM reconciler_unreadable WHERE project = ?1)");
        s.bind(1, release.project);
        (void)s.executeStep();
        release.number = s.getColumn(0).getInt64();
        release.target.release = release.number;
        write_row(db, release);
        delete_old_rows(db, release.project);
    });
}

void ReleaseStore::put(const Release& release) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) { write_row(db, release); });
}

void ReleaseStore::forget_old(const std::string& project, int kept) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement targets(
            db,
            "UPDATE reconciler_release SET target = '' WHERE project = ?1 AND target <> '' AND "
            "((state = 'good' AND number NOT IN (SELECT number FROM reconciler_release WHERE project = ?1 AND "
            "state = 'good' ORDER BY number DESC LIMIT ?2)) OR state IN ('rolled_back', 'superseded'))");
        targets.bind(1, project);
        targets.bind(2, kept + 1);
        targets.exec();
        delete_old_rows(db, project);
    });
}

std::vector<Target> ReleaseStore::kept_targets(const std::string& project) const {
    std::vector<Target> result;
    for (Release& release :
         select(database_, project, " AND target <> '' AND state NOT IN ('rolled_back', 'superseded')")) {
        result.push_back(std::move(release.target));
    }
    return result;
}

void ReleaseStore::add_pulled(const std::string& project, const std::string& name, const Digest& image,
                              bool was_there) {
    // A name that was there is kedge's if kedge had made it.
    const char* sql = was_there ? "UPDATE reconciler_pulled SET image = ?3 WHERE name = ?2"
                                : "INSERT OR REPLACE INTO reconciler_pulled(project, name, image) VALUES(?1, ?2, ?3)";
    change(database_, sql, {project, name, image.str()});
}

std::map<std::string, Digest> ReleaseStore::pulled(const std::string& project) const {
    std::map<std::string, Digest> result;
    for (const auto& [name, image] :
         pairs(database_, "SELECT name, image FROM reconciler_pulled WHERE project = ?", project)) {
        result[name] = Digest::parse(image);
    }
    return result;
}

void ReleaseStore::forget_pulled(const std::string& project, const std::string& name) {
    change(database_, "DELETE FROM reconciler_pulled WHERE project = ? AND name = ?", {project, name});
}

std::map<std::string, std::string> ReleaseStore::quarantine(const std::string& project) const {
    return pairs(database_, "SELECT commit_id, reason FROM reconciler_quarantine WHERE project = ?", project);
}

std::set<std::string> ReleaseStore::quarantined_meanings(const std::string& project) const {
    std::set<std::string> result;
    const char* sql = "SELECT meaning, meaning FROM reconciler_quarantine WHERE project = ? AND meaning <> ''";
    for (const auto& [meaning, same] : pairs(database_, sql, project)) result.insert(meaning);
    return result;
}

void ReleaseStore::add_quarantine(const std::string& project, const std::string& commit, const std::string& reason,
                                  const std::string& meaning) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement row(
            db, "INSERT OR REPLACE INTO reconciler_quarantine(project, commit_id, reason, meaning) VALUES(?, ?, ?, ?)");
        const std::string* values[] = {&project, &commit, &reason, &meaning};
        for (int i = 0; i < 4; ++i) row.bind(i + 1, *values[i]);
        row.exec();
        SQLite::Statement old(
            db,
            "DELETE FROM reconciler_quarantine WHERE project = ?1 AND rowid NOT IN "
            "(SELECT rowid FROM reconciler_quarantine WHERE project = ?1 ORDER BY rowid DESC LIMIT ?2)");
        old.bind(1, project);
        old.bind(2, kKeptRows);
        old.exec();
    });
}

void ReleaseStore::lift_quarantine(const std::string& project, const std::string& commit, const std::string& meaning) {
    change(
        database_,
        "DELETE FROM reconciler_quarantine WHERE project = ?1 AND (commit_id = ?2 OR (meaning <> '' AND meaning = ?3))",
        {project, commit, meaning});
}

void ReleaseStore::add_retired(const std::string& project, const std::string& id, const std::string& name) {
    // The first name stays: the second time the container has its name as a retired one already.
    change(database_, "INSERT OR IGNORE INTO reconciler_retired(project, id, name) VALUES(?, ?, ?)",
           {project, id, name});
}

std::map<std::string, std::string> ReleaseStore::retired(const std::string& project) const {
    return pairs(database_, "SELECT id, name FROM reconciler_retired WHERE project = ?", project);
}

void ReleaseStore::add_stopped(const std::string& project, const std::string& id) {
    change(database_, "INSERT OR IGNORE INTO reconciler_stopped(project, id) VALUES(?, ?)", {project, id});
}

std::set<std::string> ReleaseStore::stopped(const std::string& project) const {
    std::set<std::string> result;
    for (const auto& [id, same] : pairs(database_, "SELECT id, id FROM reconciler_stopped WHERE project = ?", project))
        result.insert(id);
    return result;
}

void ReleaseStore::clear_retired(const std::string& project) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        for (const char* sql :
             {"DELETE FROM reconciler_retired WHERE project = ?", "DELETE FROM reconciler_stopped WHERE project = ?"}) {
            SQLite::Statement s(db, sql);
            s.bind(1, project);
            s.exec();
        }
    });
}

}  // namespace kedge::reconciler
