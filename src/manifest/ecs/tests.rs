use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn task_definitions_of_the_api_and_of_templates() {
    check(
        "task.json",
        "{\n\
\t\"family\": \"web\",\n\
\t\"containerDefinitions\": [{\"name\": \"app\", \"image\": \"nginx:1\", \"essential\": true}]\n\
}\n\
",
        &expect![[r#"
            3: nginx:1
            + 	"containerDefinitions": [{"name": "app", "image": "moved.example/library/nginx:1", "essential": true}]
        "#]],
    );
}

#[test]
fn resources_of_cloudformation() {
    check(
        "stack.yaml",
        r#"Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ContainerDefinitions:
      - {Name: a, Image: "quay.io/a/b:1"}
      - Name: b
        Image: !Sub "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/b:1"
"#,
        &expect![[r#"
            7: quay.io/a/b:1
            9: ${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/b:1 [Variable]
            +       - {Name: a, Image: "moved.example/a/b:1"}
        "#]],
    );
}
