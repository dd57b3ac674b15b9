#pragma once

#include <git2.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kedge::test {

/// A bare Git repository of a test's own, written to by libgit2 as a push would.
class TestRepository {
public:
    /// Makes <path>, whose default branch is main.
    explicit TestRepository(const std::string& path) {
        git_libgit2_init();
        git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0);  // for a submodule's commit that isn't there
        git_repository_init_options options{};
        options.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION;
        options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
        options.initial_head = "main";
        EXPECT_EQ(git_repository_init_ext(&repository_, path.c_str(), &options), 0);
    }
    TestRepository(const TestRepository&) = delete;
    TestRepository& operator=(const TestRepository&) = delete;
    ~TestRepository() {
        git_repository_free(repository_);
        git_libgit2_shutdown();
    }

    struct File {
        std::string content;
        git_filemode_t mode = GIT_FILEMODE_BLOB;
    };
    /// Commits exactly these files; `force` begins a new history. Returns the commit's id.
    std::string push(const std::map<std::string, File>& files, const std::string& branch = "main", bool force = false) {
        git_oid tree_id = write_tree(files), commit_id;
        git_tree* tree = nullptr;
        git_tree_lookup(&tree, repository_, &tree_id);
        git_signature* signature = nullptr;
        git_signature_new(&signature, "Ann", "ann@example.org", 1'700'000'000 + ++count_, 0);
        std::string ref = "refs/heads/" + branch;
        git_oid parent_id;
        git_commit* parent = nullptr;
        if (!force && git_reference_name_to_id(&parent_id, repository_, ref.c_str()) == 0) {
            git_commit_lookup(&parent, repository_, &parent_id);
        }
        const git_commit* parents[] = {parent};
        EXPECT_EQ(git_commit_create(&commit_id, repository_, nullptr, signature, signature, nullptr, "a change\n\nmore",
                                    tree, parent ? 1 : 0, parents),
                  0);
        git_reference* reference = nullptr;
        EXPECT_EQ(git_reference_create(&reference, repository_, ref.c_str(), &commit_id, 1, nullptr), 0);
        git_reference_free(reference);
        git_commit_free(parent);
        git_signature_free(signature);
        git_tree_free(tree);
        return git_oid_tostr_s(&commit_id);
    }

    void tag(const std::string& name, const std::string& commit) {
        git_oid id, made;
        git_oid_fromstr(&id, commit.c_str());
        git_object* object = nullptr;
        git_object_lookup(&object, repository_, &id, GIT_OBJECT_COMMIT);
        git_signature* signature = nullptr;
        git_signature_now(&signature, "Ann", "ann@example.org");
        EXPECT_EQ(git_tag_create(&made, repository_, name.c_str(), object, signature, "annotated", 1), 0);
        git_signature_free(signature);
        git_object_free(object);
    }

private:
    git_oid write_tree(const std::map<std::string, File>& files) {
        std::map<std::string, std::map<std::string, File>> folders;
        git_treebuilder* builder = nullptr;
        EXPECT_EQ(git_treebuilder_new(&builder, repository_, nullptr), 0);
        git_oid id;
        for (const auto& [name, file] : files) {
            if (size_t slash = name.find('/'); slash != std::string::npos) {
                folders[name.substr(0, slash)][name.substr(slash + 1)] = file;
                continue;
            }
            if (file.mode == GIT_FILEMODE_COMMIT) {
                git_oid_fromstr(&id, std::string(40, '1').c_str());
            } else {
                EXPECT_EQ(git_blob_create_from_buffer(&id, repository_, file.content.data(), file.content.size()), 0);
            }
            EXPECT_EQ(git_treebuilder_insert(nullptr, builder, name.c_str(), &id, file.mode), 0) << name;
        }
        for (const auto& [name, inner] : folders) {
            id = write_tree(inner);
            EXPECT_EQ(git_treebuilder_insert(nullptr, builder, name.c_str(), &id, GIT_FILEMODE_TREE), 0) << name;
        }
        EXPECT_EQ(git_treebuilder_write(&id, builder), 0);
        git_treebuilder_free(builder);
        return id;
    }

    git_repository* repository_ = nullptr;
    int count_ = 0;
};

}  // namespace kedge::test
