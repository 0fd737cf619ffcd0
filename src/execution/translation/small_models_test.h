// Small files of each kind, as their libraries write them, with one place open to the test.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace glasscase::translation {

// Replaces the first `from`, which must be there.
inline std::string With(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) return "no \"" + std::string(from) + "\" to replace";
  return text.replace(at, from.size(), to);
}

// x0 < 0.5 ? (x1 < -1 ? 1 : 2) : 3, with missing x0 to the left and x1 to the right.
inline std::string XgboostTree() {
  return R"({"base_weights":[0,0,0,0,0],"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[],)"
         R"("default_left":[1,0,0,0,0],"id":0,"left_children":[1,3,-1,-1,-1],"loss_changes":[0,0,0,0,0],)"
         R"("parents":[2147483647,0,0,1,1],"right_children":[2,4,-1,-1,-1],"split_conditions":[5E-1,-1E0,3E0,1E0,2E0],)"
         R"("split_indices":[0,1,0,0,0],"split_type":[0,0,0,0,0],"sum_hessian":[0,0,0,0,0],)"
         R"("tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"5","size_leaf_vector":"1"}})";
}
inline std::string XgboostJson() {
  return R"({"learner":{"attributes":{},"feature_names":[],"feature_types":[],"gradient_booster":{"model":{)"
         R"("gbtree_model_param":{"num_parallel_tree":"1","num_trees":"1"},"iteration_indptr":[0,1],"tree_info":[0],"trees":[)" +
         XgboostTree() +
         R"(]},"name":"gbtree"},"learner_model_param":{"base_score":"[2.5E-1]","boost_from_average":"1","num_class":"0",)"
         R"("num_feature":"2","num_target":"1"},"objective":{"name":"reg:squarederror","reg_loss_param":{}}},"version":[3,2,0]})";
}

// x0 <= 0.1 ? 1 : (x1 <= -2 ? 2 : 3); x0 has no missing values, NaN is missing in x1 and goes right.
inline std::string Lightgbm() {
  return "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx="
         "1\nobjective=regression\n"
         "feature_names=a b\nfeature_infos=[0:1] [0:1]\ntree_sizes=100\n\n"
         "Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nsplit_gain=1 1\nthreshold=0.1 "
         "-2\ndecision_type=0 8\n"
         "left_child=-1 -2\nright_child=1 -3\nleaf_value=1 2 3\nleaf_weight=1 1 1\nleaf_count=1 1 "
         "1\ninternal_value=0 0\n"
         "internal_weight=0 0\ninternal_count=1 1\nis_linear=0\nshrinkage=1\n\n\nend of "
         "trees\n\nparameters:\n";
}

// Classes "no" and "yes": x0 <= 0.1 ? (0.75, 0.25) : (0, 1).
inline std::string SklearnDump() {
  return R"({"format":"glasscase sklearn dump","version":1,"scikit_learn":"1.9.1","estimator":"DecisionTreeClassifier","features":1,)"
         R"("task":"classifier","classes":["no","yes"],"transform":"identity","kind":"trees","outputs":2,"leaf_width":2,)"
         R"("average":false,"base":[],"trees":[{"target":0,"left":[1,-1,-1],"right":[2,-1,-1],"feature":[0,0,0],)"
         R"("threshold":[0.1,0,0],"missing_left":[1,0,0],"value":[0,0,0.75,0.25,0,1]}]})";
}

// 7 x0 + 9 x1 + 1
inline std::string Linear() {
  return R"({"format":"glasscase sklearn dump","version":1,"scikit_learn":"1.9.1","estimator":"Ridge","features":2,)"
         R"("task":"regressor","transform":"identity","kind":"linear","mean":[],"scale":[],"coefficients":[7,9],"intercepts":[1]})";
}

// Classes 0 and 1 by 0.01 x0 - 17e6: seconds since 1970, as they come.
inline std::string LogisticOfTime() {
  return R"({"format":"glasscase sklearn dump","version":1,"scikit_learn":"1.9.1","estimator":"LogisticRegression","features":1,)"
         R"("task":"classifier","classes":[0,1],"transform":"logistic","zero_is_second":false,"kind":"linear","mean":[],"scale":[],)"
         R"("coefficients":[0.01],"intercepts":[-17000000]})";
}

// Classes "no" and "yes" by one sum: x0 <= 0.1 ? -2 : (x0 <= 0.9 ? 0 : 2).
inline std::string Boosting(bool zero_is_second) {
  return std::string(
             R"({"format":"glasscase sklearn dump","version":1,"scikit_learn":"1.9.1","estimator":"GradientBoostingClassifier",)"
             R"("features":1,"task":"classifier","classes":["no","yes"],"transform":"logistic","zero_is_second":)") +
         (zero_is_second ? "true" : "false") +
         R"(,"kind":"trees","outputs":1,"leaf_width":1,"average":false,"base":[],"trees":[{"target":0,"left":[1,-1,3,-1,-1],)"
         R"("right":[2,-1,4,-1,-1],"feature":[0,0,0,0,0],"threshold":[0.1,0,0.9,0,0],"missing_left":[1,0,1,0,0],)"
         R"("value":[0,-2,0,0,2]}]})";
}

// Three classes, one against the rest, by one split each.
inline std::string OneAgainstRest() {
  std::string text = With(With(With(Lightgbm(), "num_class=1", "num_class=3"), "num_tree_per_iteration=1",
                               "num_tree_per_iteration=3"),
                          "objective=regression", "objective=multiclassova num_class:3 sigmoid:1");
  const size_t first = text.find("Tree=0");
  const size_t end = text.find("end of trees");
  const std::string tree = text.substr(first, end - first);
  std::string trees;
  for (const auto& [name, leaves] :
       {std::pair{"Tree=0", "30 1 -1"}, std::pair{"Tree=1", "31 -1 1"}, std::pair{"Tree=2", "29 -2 2"}})
    trees += With(With(tree, "Tree=0", name), "leaf_value=1 2 3", "leaf_value=" + std::string(leaves));
  return text.replace(first, end - first, trees);
}

}  // namespace glasscase::translation
