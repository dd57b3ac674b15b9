#pragma once

#include "api/http.h"
#include "base/clock.h"

#include <map>
#include <memory>
#include <set>
#include <string>

namespace re2 {
class RE2;
}

namespace kedge::api {

/// Docker's `filters` parameter: {"status": ["running"], "label": ["a=b"]}, or the older {"status": {"running": true}}.
/// Values of one name are alternatives (labels must all hold); different names must all hold.
class Filters {
public:
    /// `known`: the names this list understands; any other is Error (invalid_argument, `invalid filter 'x'`).
    Filters(const Request& request, const std::set<std::string>& known);

    bool has(const std::string& name) const { return values_.contains(name); }
    const std::set<std::string>& values(const std::string& name) const;

    /// True if nothing is asked of `name`, or `value` is one of the asked.
    bool exact(const std::string& name, const std::string& value) const;
    /// The same where the asked is a regular expression that matches a part of the value. In time that is linear in the
    /// value, whatever the expression is; what is none matches only itself.
    bool match(const std::string& name, const std::string& value) const;
    bool prefix(const std::string& name, const std::string& value) const;
    /// `label` filters: every `key` or `key=value` is there, and none of `label!`.
    bool labels(const std::map<std::string, std::string>& labels) const;
    /// `until` of what clean-ups spare: true if nothing is asked, or it was made before then (`10m` ago, a date, or
    /// seconds since 1970). Throws Error.
    bool made_before(WallTime created, WallTime now) const;
    /// A yes-or-no filter such as dangling; throws for anything else.
    bool flag(const std::string& name, bool absent) const;

private:
    std::map<std::string, std::set<std::string>> values_;
    mutable std::map<std::string, std::shared_ptr<const re2::RE2>> expressions_;  ///< that were asked for before
};

}  // namespace kedge::api
