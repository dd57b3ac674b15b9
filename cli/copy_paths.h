#pragma once

#include <optional>
#include <string>

namespace kedge::cli {

// How `kedge cp` reads its arguments and decides what is copied where. The rules are `docker cp`'s.

/// `CONTAINER:PATH`, or a path here: one that has no `:`, or begins with `/` or `.`.
struct CopyArgument {
    std::string container;  ///< empty: here
    std::string path;
    static CopyArgument parse(const std::string& text);
};

/// The parts of a cleaned path; a `.` at its end stays.
struct SplitPath {
    std::string folder, name;
    explicit SplitPath(const std::string& path);
};

/// A path without `//`, `.` and, by the words alone, `..`.
std::string clean_words(const std::string& path);
/// `folder`, and what of it `path` means unless it is absolute; a `/` or `/.` at its end stays.
std::string absolute(const std::string& folder, const std::string& path);
/// Whether it says that it is a folder, by `/` or `/.` at its end.
bool names_folder(const std::string& path);

/// One side of a copy.
struct CopySide {
    std::string path;
    bool exists = false;
    bool is_folder = false;
    std::string shown_as;  ///< of a source: its name in the copy if not the path's last part
};

/// Where a source is extracted, and under which name it lies in the archive.
struct CopyPlan {
    std::string folder;
    std::string name;  ///< empty: its own
};
/// Throws Error: `cannot copy directory`, `no such directory`.
CopyPlan plan_copy(const CopySide& source, const CopySide& target);

/// An archive's name with `from` at its begin replaced.
std::string renamed(const std::string& path, const std::string& from, const std::string& to);

/// Where `link`, which points to `target`, leads: with the `/` or `/.` that the link's path ends with, and the name
/// that was asked for if that is another now.
CopySide behind_link(const std::string& link, std::string target);

}  // namespace kedge::cli
