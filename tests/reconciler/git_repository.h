#pragma once

#include <map>
#include <string>

struct git_repository;

namespace kedge::test {

/// A bare repository in a folder, with one branch `main`, for sources to follow by its file:// url.
class GitRepository {
public:
    explicit GitRepository(const std::string& folder);
    ~GitRepository();
    GitRepository(const GitRepository&) = delete;

    /// A commit of exactly these files (path -> content) on main; its id.
    std::string commit(const std::map<std::string, std::string>& files, const std::string& message = "a change");
    std::string url() const { return "file://" + folder_; }

private:
    std::string folder_;
    git_repository* repository_ = nullptr;
};

}  // namespace kedge::test
