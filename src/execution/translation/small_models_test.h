// Small files of each kind, as their libraries write them, with one place open to the test.
#pragma once

#include <string>
#include <string_view>

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

}  // namespace glasscase::translation
